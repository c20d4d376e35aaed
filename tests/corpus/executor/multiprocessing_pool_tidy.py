# expect: clean
# why: ended by the with statement, joined, on its way out, or dropped
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning -W ignore::ResourceWarning
import multiprocessing


def test_with() -> None:
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        assert pool.map(len, ["abc", "d"]) == [3, 1]


def test_joined() -> None:
    context = multiprocessing.get_context("fork")
    pool = context.Pool(2)
    pool.close()
    pool.join()


def test_closed() -> None:
    context = multiprocessing.get_context("fork")
    pool = context.Pool(2)
    assert pool.apply(len, ["abc"]) == 3
    pool.close()


def test_dropped() -> None:
    context = multiprocessing.get_context("fork")
    assert context.Pool(2).map(len, ["abc"]) == [3]


def test_neighbour() -> None:
    pass
