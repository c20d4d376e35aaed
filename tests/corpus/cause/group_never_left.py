# expect: TL101 test_serves what=serve born=here cause=group-never-left finality=stuck
# maybe: TL101 test_serves what=handle cause=event-never-set finality=stuck
# waits: *Event*
# edge: task 'server' -> task 'handler' [awaits]
# edge: task 'handler' -> asyncio.Event* [waits for]
# no-cycle:
# why: the group is left only when its child ends, which waits for an event that nobody can set
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def handle(request: asyncio.Event) -> None:
    await request.wait()


async def serve() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(handle(asyncio.Event()), name="handler")


async def test_serves() -> None:
    TASKS.append(asyncio.create_task(serve(), name="server"))  # born:here
    for _ in range(3):
        await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
