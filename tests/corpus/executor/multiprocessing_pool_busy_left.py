# expect: TL303 test_leaves what=Pool born=made
# why: a call keeps one of the workers busy; one finding
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
import multiprocessing
import time
from typing import Any

KEPT: list[Any] = []


def test_leaves() -> None:
    pool = multiprocessing.get_context("fork").Pool(2)  # born:made
    KEPT.extend([pool, pool.apply_async(time.sleep, (60,))])


def test_neighbour() -> None:
    pass


def teardown_module() -> None:
    KEPT[0].terminate()
