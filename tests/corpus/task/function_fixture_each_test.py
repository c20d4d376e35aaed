# expect: TL101 fixture:client what=keepalive born=here on=test_one
# expect: TL101 fixture:client what=keepalive born=here on=test_two[a]
# why: each test has its own instance of the function fixture, and each instance its own leak
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
# args: -o asyncio_default_fixture_loop_scope=session
import asyncio

import pytest


async def keepalive() -> None:
    await asyncio.sleep(3600)


@pytest.fixture
async def client() -> str:
    asyncio.create_task(keepalive())  # born:here
    await asyncio.sleep(0)
    return "client"


async def test_one(client: str) -> None:
    assert client


async def test_between() -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("name", ["a"])
async def test_two(client: str, name: str) -> None:
    assert client + name


async def test_neighbour() -> None:
    await asyncio.sleep(0)
