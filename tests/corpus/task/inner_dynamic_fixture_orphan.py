# expect: TL101 fixture:inner what=forever born=here on=test_uses
# why: the outer fixture asks for the inner one dynamically; the maker is to blame, not the asker
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest.fixture
async def inner() -> str:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)
    return "inner"


@pytest.fixture
def outer(request: pytest.FixtureRequest) -> str:
    return f"outer of {request.getfixturevalue('inner')}"


async def test_uses(outer: str) -> None:
    assert outer == "outer of inner"


async def test_neighbour() -> None:
    await asyncio.sleep(0)
