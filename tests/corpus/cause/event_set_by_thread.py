# expect: TL301 test_serves what=notify
# expect: TL101 test_serves what=serve born=here finality=wakeable|outside
# waits: *Event*
# why: a parked thread has the event in a local variable and may set it any time
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import threading

TASKS: list[asyncio.Task[None]] = []
GO = threading.Event()


def notify(make: list[asyncio.Event], loop: asyncio.AbstractEventLoop, begun: threading.Event) -> None:
    ready = make.pop()
    begun.set()
    GO.wait()
    loop.call_soon_threadsafe(ready.set)


async def serve(ready: asyncio.Event) -> None:
    await ready.wait()


async def test_serves() -> None:
    ready, begun = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    threading.Thread(target=notify, args=([ready], loop, begun), daemon=True).start()
    begun.wait()
    TASKS.append(asyncio.create_task(serve(ready), name="server"))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
