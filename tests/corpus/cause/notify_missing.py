# expect: TL101 test_changes what=watch born=here cause=notify-missing finality=stuck
# waits: *Condition*
# edge: task 'watcher' -> asyncio.Condition* [waits for]
# why: the value was changed without a notify
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def watch(changed: asyncio.Condition, values: list[int]) -> None:
    async with changed:
        await changed.wait_for(lambda: bool(values))


async def test_changes() -> None:
    changed = asyncio.Condition()
    values: list[int] = []
    TASKS.append(asyncio.create_task(watch(changed, values), name="watcher"))  # born:here
    await asyncio.sleep(0)
    async with changed:
        values.append(1)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
