# expect: clean
# why: a pool without an owner ends its workers
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
import multiprocessing
from concurrent.futures import ProcessPoolExecutor


def test_drops() -> None:
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    assert pool.submit(len, "abc").result() == 3


def test_shuts_down_without_waiting() -> None:
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    assert pool.submit(len, "abc").result() == 3
    pool.shutdown(wait=False)


def test_neighbour() -> None:
    pass
