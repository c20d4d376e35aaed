# expect: clean
# why: only the garbage collector can end it: one collection is due before the verdict
# runner: sync
from concurrent.futures import ThreadPoolExecutor


class Service:
    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1)
        self.itself = self


def test_drops() -> None:
    assert Service().pool.submit(len, "abc").result() == 3


def test_neighbour() -> None:
    pass
