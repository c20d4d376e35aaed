# expect: TL303 test_leaves what=ThreadPool born=made
# why: neither closed nor terminated; its handler threads are its own
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
from multiprocessing.pool import ThreadPool
from typing import Any

KEPT: list[Any] = []


def test_leaves() -> None:
    pool = ThreadPool(2)  # born:made
    KEPT.append(pool)
    assert pool.map(len, ["abc", "d"]) == [3, 1]


def test_neighbour() -> None:
    pass


def teardown_module() -> None:
    KEPT[0].terminate()
