# expect: clean
# why: a sync fixture cancels the test's task in its teardown, while the loop of the module is idle but open
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio
from collections.abc import Callable, Iterator

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest.fixture
def stop_later() -> Iterator[Callable[[asyncio.Task[None]], None]]:
    tasks: list[asyncio.Task[None]] = []
    yield tasks.append
    for task in tasks:
        task.cancel()


async def test_starts(stop_later: Callable[[asyncio.Task[None]], None]) -> None:
    stop_later(asyncio.create_task(forever()))
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
