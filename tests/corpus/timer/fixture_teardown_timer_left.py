# expect: TL201 fixture:session what=forget on=test_uses
# why: set by the teardown code of the fixture
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest


def forget() -> None: ...


@pytest.fixture
async def session() -> AsyncIterator[str]:
    yield "session"
    asyncio.get_running_loop().call_later(3600, forget)


async def test_uses(session: str) -> None:
    assert session


async def test_neighbour() -> None:
    await asyncio.sleep(0)
