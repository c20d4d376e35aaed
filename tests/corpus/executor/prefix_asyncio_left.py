# expect: TL303 test_leaves born=made
# why: the name of its threads looks like the default executor's, it is none
# runner: sync
from concurrent.futures import ThreadPoolExecutor

POOLS: list[ThreadPoolExecutor] = []


def test_leaves() -> None:
    pool = ThreadPoolExecutor(1, thread_name_prefix="asyncio")  # born:made
    POOLS.append(pool)
    pool.submit(len, "abc").result()


def test_neighbour() -> None:
    pass
