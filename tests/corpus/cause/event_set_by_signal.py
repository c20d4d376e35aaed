# expect: TL631|TL633 test_serves
# expect: TL101 test_serves what=serve born=here finality=wakeable|outside
# waits: *Event*
# why: an installed signal handler would set the event
# runner: pytest-asyncio function
# needs: pytest-asyncio, posix
# args: -o asyncio_mode=auto
import asyncio
import signal
from types import FrameType

TASKS: list[asyncio.Task[None]] = []


async def serve(ready: asyncio.Event) -> None:
    await ready.wait()


def install(ready: asyncio.Event) -> None:
    def on_signal(number: int, frame: FrameType | None) -> None:
        ready.set()

    signal.signal(signal.SIGUSR2, on_signal)


async def test_serves() -> None:
    ready = asyncio.Event()
    install(ready)
    TASKS.append(asyncio.create_task(serve(ready), name="server"))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
