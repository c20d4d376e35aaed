# expect: TL201 test_serves cause=timer-left finality=outside
# expect: TL101 test_serves what=serve born=here finality=outside|wakeable
# waits: *Event*
# why: a timer will set the event in half a minute
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def serve(ready: asyncio.Event) -> None:
    await ready.wait()


async def test_serves() -> None:
    ready = asyncio.Event()
    asyncio.get_running_loop().call_later(30, ready.set)
    TASKS.append(asyncio.create_task(serve(ready), name="server"))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
