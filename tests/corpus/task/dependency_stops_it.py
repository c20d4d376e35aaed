# expect: clean
# why: the fixture's task is held and ended by the fixture that it depends on, whose teardown comes later
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest


class Group:
    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def spawn(self) -> asyncio.Task[None]:
        self.tasks.append(asyncio.create_task(asyncio.sleep(3600)))
        return self.tasks[-1]


@pytest.fixture
async def group() -> AsyncIterator[Group]:
    group = Group()
    yield group
    for task in group.tasks:
        task.cancel()
    await asyncio.gather(*group.tasks, return_exceptions=True)


@pytest.fixture
async def poller(group: Group) -> asyncio.Task[None]:
    return group.spawn()


async def test_polls(poller: asyncio.Task[None]) -> None:
    await asyncio.sleep(0)
    assert not poller.done()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
