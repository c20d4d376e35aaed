# expect: TL101 test_uses what=wait_for_shutdown born=here cause=event-never-set finality=wakeable
# waits: *Event*
# why: the module fixture's teardown will set the event; only the test's scope closed before that
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def wait_for_shutdown(shutdown: asyncio.Event) -> None:
    await shutdown.wait()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shutdown() -> AsyncIterator[asyncio.Event]:
    event = asyncio.Event()
    yield event
    event.set()
    await asyncio.sleep(0)


async def test_uses(shutdown: asyncio.Event) -> None:
    asyncio.create_task(wait_for_shutdown(shutdown))  # born:here
    await asyncio.sleep(0)


async def test_neighbour(shutdown: asyncio.Event) -> None:
    assert not shutdown.is_set()
