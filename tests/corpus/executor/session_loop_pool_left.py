# expect: TL303 test_leaves born=made
# why: left by a test on the session loop
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
from concurrent.futures import ThreadPoolExecutor

POOLS: list[ThreadPoolExecutor] = []


async def test_leaves() -> None:
    pool = ThreadPoolExecutor(1)  # born:made
    POOLS.append(pool)
    assert await asyncio.get_running_loop().run_in_executor(pool, len, "abc") == 3


async def test_neighbour() -> None:
    assert await asyncio.to_thread(len, "abc") == 3
