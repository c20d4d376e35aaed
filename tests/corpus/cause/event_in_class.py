# expect: TL101 test_serves what=serve born=here cause=event-never-set finality=wakeable
# waits: *Event*
# why: the event is an attribute of a class: anybody can set it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


class Application:
    started = asyncio.Event()


async def serve() -> None:
    await Application.started.wait()


async def test_serves() -> None:
    asyncio.create_task(serve(), name="server")  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
