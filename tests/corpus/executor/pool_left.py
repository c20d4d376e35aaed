# expect: TL303 test_leaves born=made
# why: the pool is kept and never shut down; its idle workers are told under it
# runner: sync
from concurrent.futures import ThreadPoolExecutor

POOLS: list[ThreadPoolExecutor] = []


def test_leaves() -> None:
    pool = ThreadPoolExecutor(2)  # born:made
    POOLS.append(pool)
    assert pool.submit(len, "abc").result() == 3
    assert pool.submit(len, "ab").result() == 2


def test_neighbour() -> None:
    pass
