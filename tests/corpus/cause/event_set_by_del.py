# expect: TL101 test_serves what=serve born=here finality=wakeable|ready|unknown|outside
# waits: *Event*
# why: garbage in a cycle sets the event as soon as the collector finds it: not stuck
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import gc

gc.disable()  # so that the garbage is still there when the test ends
TASKS: list[asyncio.Task[None]] = []


class Guard:
    def __init__(self, released: asyncio.Event) -> None:
        self.released = released
        self.itself = self

    def __del__(self) -> None:
        self.released.set()


async def serve(released: asyncio.Event) -> None:
    await released.wait()


async def test_serves() -> None:
    released = asyncio.Event()
    Guard(released)
    TASKS.append(asyncio.create_task(serve(released), name="server"))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
