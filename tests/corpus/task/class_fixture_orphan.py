# expect: TL101 fixture:server what=forever born=here on=TestServer::test_last
# why: a class-scoped fixture ends with its class
# runner: pytest-asyncio class
# needs: pytest-asyncio
import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest_asyncio.fixture(scope="class", loop_scope="class")
async def server() -> AsyncIterator[str]:
    asyncio.create_task(forever())  # born:here
    yield "server"


@pytest.mark.asyncio(loop_scope="class")
class TestServer:
    async def test_first(self, server: str) -> None:
        assert server

    async def test_last(self, server: str) -> None:
        assert server


@pytest.mark.asyncio
async def test_after_the_class() -> None:
    await asyncio.sleep(0)
