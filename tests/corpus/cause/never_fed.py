# expect: TL101 test_asks what=first_line born=here cause=never-fed finality=stuck
# waits: *Queue*get*
# edge: task 'asker' -> asyncio.LifoQueue* [waits for]
# no-cycle:
# why: one item is wanted, not one after the other, and none is ever put
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[str]] = []


async def first_line(lines: asyncio.LifoQueue[str]) -> str:
    return await lines.get()


async def test_asks() -> None:
    TASKS.append(asyncio.create_task(first_line(asyncio.LifoQueue()), name="asker"))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
