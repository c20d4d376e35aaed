# expect: TL101|TL102 test_leaves what=forever
# why: asyncio.Task(...) passes by create_task: found on its loop and owned by its context
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

KEPT: list[asyncio.Task[None]] = []


async def forever() -> None:
    await asyncio.sleep(3600)


async def test_leaves() -> None:
    KEPT.append(asyncio.Task(forever(), loop=asyncio.get_running_loop()))
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
