# expect: TL303 test_leaves what=ProcessPoolExecutor born=made
# why: two calls keep the workers busy; one finding
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
# with: ../process/end_children.py as conftest.py
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

KEPT: list[object] = []


def test_leaves() -> None:
    pool = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork"))  # born:made
    KEPT.extend([pool, pool.submit(time.sleep, 60), pool.submit(time.sleep, 61)])


def test_neighbour() -> None:
    pass
