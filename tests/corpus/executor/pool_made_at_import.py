# expect: clean
# why: made when the test module was imported, before any test: the session's
# runner: sync
from concurrent.futures import ThreadPoolExecutor

POOL = ThreadPoolExecutor(1)


def test_first() -> None:
    assert POOL.submit(len, "abc").result() == 3


def test_second() -> None:
    assert POOL.submit(len, "ab").result() == 2
