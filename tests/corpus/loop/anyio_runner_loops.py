# expect: clean
# why: anyio's runner owns the loop, whoever asks for it first and however long fixtures keep it
# runner: anyio
# needs: anyio, trio
# args: -p no:asyncio
from collections.abc import AsyncIterator

import anyio
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def first(anyio_backend: str) -> AsyncIterator[int]:
    await anyio.sleep(0)
    yield 1


@pytest.fixture(scope="module")
async def wide(anyio_backend: str) -> AsyncIterator[int]:
    await anyio.sleep(0)
    yield 2


async def test_function_fixture_first(first: int, request: pytest.FixtureRequest) -> None:
    await anyio.sleep(0)


async def test_wide(wide: int, first: int) -> None:
    await anyio.sleep(0)


async def test_plain() -> None:
    await anyio.sleep(0)
