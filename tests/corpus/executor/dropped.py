# expect: clean
# why: nobody holds the pool any more, so that its workers end by themselves
# runner: sync
from concurrent.futures import ThreadPoolExecutor


def test_drops() -> None:
    assert ThreadPoolExecutor(2).submit(len, "abc").result() == 3


def test_local() -> None:
    pool = ThreadPoolExecutor(2)
    assert pool.submit(len, "abc").result() == 3
