# expect: TL303 fixture:pool born=made on=TestPool::test_last
# why: a class-scoped fixture, and the method that uses it is inherited
# runner: sync
from concurrent.futures import ThreadPoolExecutor

import pytest

POOLS: list[ThreadPoolExecutor] = []


class Base:
    def test_first(self, pool: ThreadPoolExecutor) -> None:
        assert pool.submit(len, "abc").result() == 3


class TestPool(Base):
    @pytest.fixture(scope="class")
    def pool(self) -> ThreadPoolExecutor:
        pool = ThreadPoolExecutor(1)  # born:made
        POOLS.append(pool)
        return pool

    def test_last(self, pool: ThreadPoolExecutor) -> None:
        assert pool.submit(len, "ab").result() == 2


def test_neighbour() -> None:
    pass
