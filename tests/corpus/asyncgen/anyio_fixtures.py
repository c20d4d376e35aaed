# expect: clean
# why: anyio closes async generator fixtures of every scope itself; an early break is closed by the loop
# runner: anyio
# needs: anyio, trio
# args: -p no:asyncio -W ignore::ResourceWarning
from collections.abc import AsyncIterator

import anyio
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
async def of_module(anyio_backend: str) -> AsyncIterator[int]:
    await anyio.sleep(0)
    yield 1
    await anyio.sleep(0)


@pytest.fixture
async def of_function(anyio_backend: str) -> AsyncIterator[int]:
    await anyio.sleep(0)
    yield 2
    await anyio.sleep(0)


async def numbers() -> AsyncIterator[int]:
    for number in range(10):
        await anyio.sleep(0)
        yield number


async def test_breaks(of_module: int, of_function: int) -> None:
    async for number in numbers():
        if number == 2:
            break


async def test_breaks_as_last_statement(of_module: int) -> None:
    await anext(numbers())


async def test_exhausts() -> None:
    assert [number async for number in numbers()] == list(range(10))
