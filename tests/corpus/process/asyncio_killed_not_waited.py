# expect: clean
# why: asyncio reaps what it has started
# runner: pytest-asyncio function
# needs: pytest-asyncio, posix
# args: -o asyncio_mode=auto
import asyncio

KEPT: list[object] = []


async def test_kills() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "60")
    KEPT.append(process)
    process.kill()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
