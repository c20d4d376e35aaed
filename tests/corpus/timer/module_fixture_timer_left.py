# expect: TL201 fixture:service what=poll on=test_last
# why: a periodic timer of a module fixture that never stops it; it fired during the tests
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")


def poll(polled: asyncio.Event) -> None:
    polled.set()
    asyncio.get_running_loop().call_later(0.005, poll, polled)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service() -> AsyncIterator[asyncio.Event]:
    polled = asyncio.Event()
    poll(polled)
    yield polled


async def test_first(service: asyncio.Event) -> None:
    service.clear()
    await service.wait()


async def test_last(service: asyncio.Event) -> None:
    service.clear()
    await service.wait()
