# expect: TL303 test_leaves born=made
# why: asyncio.run shuts its default executor down, not the pool that the coroutine made
# runner: sync asyncio.run
import asyncio
from concurrent.futures import ThreadPoolExecutor

POOLS: list[ThreadPoolExecutor] = []


async def main() -> int:
    pool = ThreadPoolExecutor(1)  # born:made
    POOLS.append(pool)
    return await asyncio.get_running_loop().run_in_executor(pool, len, "abc")


def test_leaves() -> None:
    assert asyncio.run(main()) == 3


def test_neighbour() -> None:
    pass
