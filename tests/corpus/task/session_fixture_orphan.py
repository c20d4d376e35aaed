# expect: TL101 fixture:server what=forever born=here on=test_first
# why: found at the end of the session, told by the name of the fixture on the last test that used it
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[str]:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)
    yield "server"


async def test_first(server: str) -> None:
    assert server


async def test_last() -> None:
    await asyncio.sleep(0)
