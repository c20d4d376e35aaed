# expect: TL303 fixture:pool born=made on=test_last
# why: told at the end of the module
# runner: sync
from concurrent.futures import ThreadPoolExecutor

import pytest

POOLS: list[ThreadPoolExecutor] = []


@pytest.fixture(scope="module")
def pool() -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(1)  # born:made
    POOLS.append(pool)
    return pool


def test_first(pool: ThreadPoolExecutor) -> None:
    assert pool.submit(len, "abc").result() == 3


def test_last(pool: ThreadPoolExecutor) -> None:
    assert pool.submit(len, "ab").result() == 2
