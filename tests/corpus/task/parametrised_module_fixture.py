# expect: TL101 fixture:server what=forever born=here on=test_last[b]
# why: of the two instances of the module fixture only the second leaks; the first one's tests stay green
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["a", "b"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    task = asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)
    yield request.param
    if request.param == "a":
        task.cancel()


async def test_first(server: str) -> None:
    assert server


async def test_last(server: str) -> None:
    assert server
