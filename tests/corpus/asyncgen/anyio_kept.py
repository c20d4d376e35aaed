# expect: TL611|TL612 test_leaves[asyncio] what=numbers born=here
# expect: TL611 test_leaves[trio] what=numbers born=here
# why: the test keeps the generator on the runner of the module's fixture, which lives on
# runner: anyio
# needs: anyio, trio
# args: -p no:asyncio
from collections.abc import AsyncIterator

import anyio
import pytest

pytestmark = pytest.mark.anyio
KEPT: list[AsyncIterator[int]] = []


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", autouse=True)
async def wide(anyio_backend: str) -> AsyncIterator[int]:
    yield 1


async def numbers() -> AsyncIterator[int]:
    for number in range(10):
        await anyio.sleep(0)
        yield number


async def test_begins() -> None:
    assert [number async for number in numbers()] == list(range(10))


async def test_leaves() -> None:
    generator = numbers()
    KEPT.append(generator)
    await anext(generator)  # born:here


async def test_neighbour() -> None:
    assert [number async for number in numbers()] == list(range(10))
