# expect: TL303 test_leaves
# why: a subclass of ThreadPoolExecutor is an executor too
# runner: sync
from concurrent.futures import ThreadPoolExecutor


class Pool(ThreadPoolExecutor):
    def __init__(self) -> None:
        super().__init__(max_workers=1, thread_name_prefix="mine")


POOLS: list[Pool] = []


def test_leaves() -> None:
    pool = Pool()
    POOLS.append(pool)
    pool.submit(len, "abc").result()


def test_neighbour() -> None:
    pass
