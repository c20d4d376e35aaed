# expect: TL303 test_leaves what=ProcessPoolExecutor born=made
# why: one finding for the pool, its workers, its threads
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
# with: ../process/end_children.py as conftest.py
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

KEPT: list[object] = []


def test_leaves() -> None:
    pool = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork"))  # born:made
    KEPT.append(pool)
    assert pool.submit(len, "abc").result() == 3


def test_neighbour() -> None:
    pass
