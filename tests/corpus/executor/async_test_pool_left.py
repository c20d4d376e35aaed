# expect: TL303 test_leaves born=made
# why: a pool of the test, used through run_in_executor and left
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from concurrent.futures import ThreadPoolExecutor

POOLS: list[ThreadPoolExecutor] = []


async def test_leaves() -> None:
    pool = ThreadPoolExecutor(1)  # born:made
    POOLS.append(pool)
    assert await asyncio.get_running_loop().run_in_executor(pool, len, "abc") == 3


async def test_neighbour() -> None:
    await asyncio.sleep(0)
