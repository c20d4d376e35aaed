# expect: TL101 test_opens what=tick born=here cause=group-undrained finality=outside
# waits: asyncio.sleep(30)
# why: nobody has drained the TrackedTaskGroup
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

from pytest_taskleak import TrackedTaskGroup


async def tick() -> None:
    await asyncio.sleep(30)


class Service:
    def __init__(self) -> None:
        self.group = TrackedTaskGroup("service")

    def start(self) -> None:
        self.group.open().create_task(tick(), name="ticker")  # born:here


async def test_opens() -> None:
    Service().start()
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
