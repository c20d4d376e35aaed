# expect: TL101 fixture:server what=forever born=here on=test_last
# why: told when the module fixture is torn down, by its name, on the last test that used it
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[str]:
    asyncio.create_task(forever())  # born:here
    yield "server"


async def test_first(server: str) -> None:
    assert server


async def test_second() -> None:
    await asyncio.sleep(0)


async def test_last(server: str) -> None:
    assert server
