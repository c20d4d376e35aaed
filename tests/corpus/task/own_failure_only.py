# expect: clean
# outcome: test_fails failed
# outcome: test_broken error
# why: failures that are no leaks stay what they are
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest


@pytest.fixture
async def broken() -> AsyncIterator[str]:
    yield "broken"
    raise RuntimeError("the fixture's own")


async def test_fails() -> None:
    await asyncio.sleep(0)
    raise AssertionError("the test's own")


async def test_broken(broken: str) -> None:
    assert broken


async def test_neighbour() -> None:
    await asyncio.sleep(0)
