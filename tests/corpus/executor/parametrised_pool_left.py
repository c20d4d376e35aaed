# expect: TL303 test_pool[leave] born=made
# why: two parameters end their pool in two ways, the third leaves it
# runner: sync
from concurrent.futures import ThreadPoolExecutor

import pytest

POOLS: list[ThreadPoolExecutor] = []


@pytest.mark.parametrize("end", ["wait", "leave", "go"])
def test_pool(end: str) -> None:
    pool = ThreadPoolExecutor(1)  # born:made
    POOLS.append(pool)
    pool.submit(len, "abc").result()
    if end != "leave":
        pool.shutdown(wait=end == "wait")
