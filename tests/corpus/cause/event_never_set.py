# expect: TL101 test_serves what=Service.run born=here cause=event-never-set finality=stuck
# waits: *Event*
# edge: task 'service' -> asyncio.Event*ready* [waits for]
# kept: *TASKS*
# why: only the service itself knows its event
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


class Service:
    def __init__(self) -> None:
        self.ready = asyncio.Event()

    async def run(self) -> None:
        await self.ready.wait()


async def test_serves() -> None:
    service = Service()
    TASKS.append(asyncio.create_task(service.run(), name="service"))  # born:here
    await asyncio.sleep(0)
    assert not service.ready.is_set()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
