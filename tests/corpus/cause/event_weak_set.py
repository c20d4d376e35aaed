# expect: TL101 test_serves what=serve born=here finality=wakeable
# waits: *Event*
# why: only a WeakSet of the module knows the event, and that is enough to set it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import weakref

EVENTS: weakref.WeakSet[asyncio.Event] = weakref.WeakSet()
TASKS: list[asyncio.Task[None]] = []


async def serve(ready: asyncio.Event) -> None:
    await ready.wait()


async def test_serves() -> None:
    ready = asyncio.Event()
    EVENTS.add(ready)
    TASKS.append(asyncio.create_task(serve(ready), name="server"))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    assert not any(event.is_set() for event in list(EVENTS))
