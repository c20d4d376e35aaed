# expect: clean
# why: the session's pool starts its worker in a test
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest


@pytest.fixture(scope="session")
def pool() -> Iterator[ProcessPoolExecutor]:
    made = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    yield made
    made.shutdown()


def test_one(pool: ProcessPoolExecutor) -> None:
    assert pool.submit(len, "abc").result() == 3


def test_two(pool: ProcessPoolExecutor) -> None:
    assert pool.submit(len, "abcd").result() == 4
