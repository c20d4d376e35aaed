# expect: TL401 test_leaves what=sleep born=made
# why: the loop is closed around a process that runs
# runner: pytest-asyncio function
# needs: pytest-asyncio, posix
# args: -o asyncio_mode=auto
import asyncio

KEPT: list[object] = []


async def test_leaves() -> None:
    KEPT.append(await asyncio.create_subprocess_exec("sleep", "60"))  # born:made


async def test_neighbour() -> None:
    await asyncio.sleep(0)
