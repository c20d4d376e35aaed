# expect: TL101 test_leaves what=of_test born=test
# expect: TL101 fixture:client what=of_fixture born=fixture on=test_leaves
# why: two makers, two owners, one test that carries both
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest


async def of_test() -> None:
    await asyncio.sleep(3600)


async def of_fixture() -> None:
    await asyncio.sleep(3600)


@pytest.fixture
async def client() -> str:
    asyncio.create_task(of_fixture())  # born:fixture
    await asyncio.sleep(0)
    return "client"


async def test_leaves(client: str) -> None:
    asyncio.create_task(of_test())  # born:test
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
