# expect: TL101 test_waits what=wait_ready born=here finality=outside
# waits: *Event*
# maybe: TL101 test_waits what=*Event.wait
# why: wait_for gives up after an hour: neither stuck nor about to end
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def wait_ready(ready: asyncio.Event) -> None:
    await asyncio.wait_for(ready.wait(), timeout=3600)


async def test_waits() -> None:
    TASKS.append(asyncio.create_task(wait_ready(asyncio.Event()), name="waiter"))  # born:here
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
