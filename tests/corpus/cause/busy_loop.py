# expect: TL101 test_spins what=poll born=here cause=busy-loop finality=spins
# why: it asks again and again, and never waits
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def poll(flags: dict[str, bool]) -> None:
    while not flags["ready"]:
        await asyncio.sleep(0)


async def test_spins() -> None:
    TASKS.append(asyncio.create_task(poll({"ready": False}), name="poller"))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
