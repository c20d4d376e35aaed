# expect: TL101 test_lines what=print_all born=here cause=no-sentinel finality=stuck
# waits: *Queue*get*
# edge: task 'printer' -> asyncio.Queue* [waits for]
# why: the queue is read by an async generator which the task loops over
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto --taskleak-detect=task
import asyncio
from collections.abc import AsyncIterator

TASKS: set[asyncio.Task[None]] = set()


async def follow(lines: asyncio.Queue[str]) -> AsyncIterator[str]:
    while True:
        yield await lines.get()


async def print_all(lines: asyncio.Queue[str], printed: list[str]) -> None:
    async for line in follow(lines):
        printed.append(line)


async def test_lines() -> None:
    lines: asyncio.Queue[str] = asyncio.Queue()
    printed: list[str] = []
    TASKS.add(asyncio.create_task(print_all(lines, printed), name="printer"))  # born:here
    lines.put_nowait("one")
    await asyncio.sleep(0)
    assert printed == ["one"]


async def test_neighbour() -> None:
    await asyncio.sleep(0)
