# expect: TL101 test_serves what=serve born=serve finality=stuck
# waits: *Event*
# expect: TL101 test_serves what=prepare born=prepare cause=dropped-future finality=stuck
# waits: *Future*
# edge: task 'server' -> asyncio.Event* [waits for]
# edge: asyncio.Event* -> task 'preparer' [needs set()]
# no-cycle:
# why: the only one who could set the event waits itself for what never comes
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def serve(ready: asyncio.Event) -> None:
    await ready.wait()


async def prepare(ready: asyncio.Event) -> None:
    await asyncio.get_running_loop().create_future()
    ready.set()


async def test_serves() -> None:
    ready = asyncio.Event()
    TASKS.append(asyncio.create_task(prepare(ready), name="preparer"))  # born:prepare
    TASKS.append(asyncio.create_task(serve(ready), name="server"))  # born:serve
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
