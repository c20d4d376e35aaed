# expect: TL303 test_leaves what=Pool born=made
# why: neither closed nor terminated; its handler threads are its own
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
import multiprocessing
from typing import Any

KEPT: list[Any] = []


def test_leaves() -> None:
    context = multiprocessing.get_context("fork")
    pool = context.Pool(2)  # born:made
    KEPT.append(pool)
    assert pool.map(len, ["abc", "d"]) == [3, 1]


def test_neighbour() -> None:
    pass


def teardown_module() -> None:
    KEPT[0].terminate()
