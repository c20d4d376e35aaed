# expect: TL101 test_serves what=serve born=serve finality=wakeable|outside
# waits: *Event*
# expect: TL101 test_serves what=set_later born=later finality=outside
# waits: *sleep*
# why: a task that sleeps will set the event when it wakes
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def serve(ready: asyncio.Event) -> None:
    await ready.wait()


async def set_later(ready: asyncio.Event) -> None:
    await asyncio.sleep(30)
    ready.set()


async def test_serves() -> None:
    ready = asyncio.Event()
    TASKS.append(asyncio.create_task(set_later(ready), name="setter"))  # born:later
    TASKS.append(asyncio.create_task(serve(ready), name="server"))  # born:serve
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
