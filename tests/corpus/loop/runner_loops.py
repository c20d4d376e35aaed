# expect: clean
# why: the loops of all scopes are pytest-asyncio's, which closes them when their scope ends
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool() -> AsyncIterator[str]:
    await asyncio.sleep(0)
    yield "pool"
    await asyncio.sleep(0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def table() -> AsyncIterator[str]:
    yield "table"


@pytest.mark.asyncio(loop_scope="session")
async def test_on_session_loop(pool: str) -> None:
    await asyncio.sleep(0)


@pytest.mark.asyncio(loop_scope="module")
async def test_on_module_loop(table: str) -> None:
    await asyncio.sleep(0)


async def test_on_function_loop() -> None:
    await asyncio.sleep(0)


def test_sync(pool: str, table: str) -> None:
    asyncio.run(asyncio.sleep(0))


@pytest.mark.asyncio(loop_scope="session")
async def test_on_session_loop_again(pool: str) -> None:
    await asyncio.sleep(0)
