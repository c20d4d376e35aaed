# expect: TL101 test_last what=wait_for_shutdown born=here
# why: the module fixture's teardown would end the task, but the test's scope closed before that
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


async def test_first(shutdown: asyncio.Event) -> None:
    assert not shutdown.is_set()


async def test_last(shutdown: asyncio.Event) -> None:
    asyncio.create_task(wait_for_shutdown(shutdown))  # born:here
    await asyncio.sleep(0)
