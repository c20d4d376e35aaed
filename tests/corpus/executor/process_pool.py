# expect: clean
# why: a process pool runs threads of its own, which end with it
# runner: sync
# needs: posix
import multiprocessing
from concurrent.futures import ProcessPoolExecutor


def test_with() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(len, "abc").result() == 3


def test_neighbour() -> None:
    pass
