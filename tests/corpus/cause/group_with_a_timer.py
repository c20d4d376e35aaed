# expect: TL101 test_serves what=serve born=here finality=outside
# maybe: TL101 test_serves what=wait cause=event-never-set finality=stuck
# waits: *Event*
# maybe: TL101 test_serves what=tick finality=outside
# waits: *sleep*
# edge: task 'server' -> task 'ticker' [awaits]
# why: one child of the group waits for good, the other for the time, and may fail and end the group
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def wait(never: asyncio.Event) -> None:
    await never.wait()


async def tick() -> None:
    await asyncio.sleep(30)
    raise TimeoutError


async def serve() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(wait(asyncio.Event()), name="waiter")
        group.create_task(tick(), name="ticker")


async def test_serves() -> None:
    TASKS.append(asyncio.create_task(serve(), name="server"))  # born:here
    for _ in range(3):
        await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
