# expect: TL303 test_leaves born=made
# why: left by a coroutine on uvloop
# runner: uvloop
# needs: uvloop
import asyncio
from concurrent.futures import ThreadPoolExecutor

import uvloop

POOLS: list[ThreadPoolExecutor] = []


async def main() -> int:
    pool = ThreadPoolExecutor(1)  # born:made
    POOLS.append(pool)
    return await asyncio.get_running_loop().run_in_executor(pool, len, "abc")


def test_leaves() -> None:
    assert uvloop.run(main()) == 3


def test_neighbour() -> None:
    pass
