# expect: TL101 test_leaves what=generation
# why: each generation lives for a few ms and starts the next: never the same task, always one left
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

KEPT: list[asyncio.Task[None]] = []


async def generation() -> None:
    await asyncio.sleep(0.005)
    KEPT[:] = [asyncio.create_task(generation())]


async def test_leaves() -> None:
    KEPT.append(asyncio.create_task(generation()))
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
