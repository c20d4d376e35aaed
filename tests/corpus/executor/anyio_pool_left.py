# expect: TL303 test_leaves born=made
# why: left by a test of the anyio plugin
# runner: anyio
# needs: anyio
import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.anyio

POOLS: list[ThreadPoolExecutor] = []


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_leaves() -> None:
    pool = ThreadPoolExecutor(1)  # born:made
    POOLS.append(pool)
    assert await asyncio.get_running_loop().run_in_executor(pool, len, "abc") == 3


async def test_neighbour() -> None:
    await asyncio.sleep(0)
