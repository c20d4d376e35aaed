# expect: TL401|TL304 test_leaves
# maybe: TL401|TL304 test_leaves
# maybe: TL301 test_leaves
# why: shutdown(wait=False) was called, but the call in the worker never ends
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
# with: ../process/end_children.py as conftest.py
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

KEPT: list[object] = []


def test_leaves() -> None:
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    future = pool.submit(time.sleep, 60)
    KEPT.append(future)
    while not future.running():
        pass
    pool.shutdown(wait=False)


def test_neighbour() -> None:
    pass
