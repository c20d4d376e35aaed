# expect: TL101 test_serves what=serve born=here finality=wakeable
# waits: *Event*
# why: weakref.finalize sets the event when a living object dies
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import weakref

TASKS: list[asyncio.Task[None]] = []


class Session: ...


SESSION = Session()


async def serve(ended: asyncio.Event) -> None:
    await ended.wait()


async def test_serves() -> None:
    ended = asyncio.Event()
    weakref.finalize(SESSION, ended.set)
    TASKS.append(asyncio.create_task(serve(ended), name="server"))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
