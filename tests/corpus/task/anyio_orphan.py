# expect: TL101|TL102 test_leaves what=forever born=here
# why: a bare task in a test of the anyio plugin; its runner closes inside the call
# runner: anyio
# needs: anyio
import asyncio

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def forever() -> None:
    await asyncio.sleep(3600)


async def test_leaves() -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
