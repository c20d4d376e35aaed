# expect: clean
# why: ended by the with statement, joined, on its way out, or dropped
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning -W ignore::ResourceWarning
from multiprocessing.pool import ThreadPool


def test_with() -> None:
    with ThreadPool(2) as pool:
        assert pool.map(len, ["abc", "d"]) == [3, 1]


def test_joined() -> None:
    pool = ThreadPool(2)
    pool.close()
    pool.join()


def test_closed() -> None:
    pool = ThreadPool(2)
    assert pool.apply(len, ["abc"]) == 3
    pool.close()


def test_dropped() -> None:
    assert ThreadPool(2).map(len, ["abc"]) == [3]


def test_neighbour() -> None:
    pass
