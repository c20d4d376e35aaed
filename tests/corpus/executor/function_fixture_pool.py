# expect: TL303 fixture:pool born=made on=test_uses
# why: the fixture makes the pool, the test starts its worker, nobody shuts it down
# runner: sync
from concurrent.futures import ThreadPoolExecutor

import pytest

POOLS: list[ThreadPoolExecutor] = []


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(1)  # born:made
    POOLS.append(pool)
    return pool


def test_uses(pool: ThreadPoolExecutor) -> None:
    assert pool.submit(len, "abc").result() == 3


def test_neighbour() -> None:
    pass
