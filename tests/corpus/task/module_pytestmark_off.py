# expect: clean
# why: the mark of the module holds for every test and for the fixtures they use
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest

pytestmark = pytest.mark.no_taskleak(reason="old tests")


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest.fixture
async def client() -> str:
    asyncio.create_task(forever())
    await asyncio.sleep(0)
    return "client"


async def test_one() -> None:
    asyncio.create_task(forever())
    await asyncio.sleep(0)


async def test_two(client: str) -> None:
    assert client
