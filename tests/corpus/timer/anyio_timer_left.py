# expect: TL201|TL202 test_leaves what=remind
# why: a timer on the loop of the anyio plugin
# runner: anyio
# needs: anyio
import asyncio

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def remind() -> None: ...


async def test_leaves() -> None:
    asyncio.get_running_loop().call_later(3600, remind)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
