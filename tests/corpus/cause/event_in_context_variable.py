# expect: TL102 test_serves what=serve born=here finality=wakeable
# waits: *Event*
# why: the event is in a context variable of the main thread
# runner: sync asyncio.run
import asyncio
from contextvars import ContextVar

READY: ContextVar[asyncio.Event] = ContextVar("READY")
TASKS: list[asyncio.Task[None]] = []


async def serve() -> None:
    await READY.get().wait()


async def main() -> None:
    TASKS.append(asyncio.create_task(serve(), name="server"))  # born:here
    await asyncio.sleep(0)


def test_serves() -> None:
    READY.set(asyncio.Event())
    asyncio.run(main())
    assert not READY.get().is_set()
