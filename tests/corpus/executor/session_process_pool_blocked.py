# expect: TL304 test_leaves what=sleep
# why: the pool is the session's, the call that blocks it is the test's
# runner: sync
# needs: posix
# args: -W ignore::DeprecationWarning
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import pytest

KEPT: list[Future[None]] = []


@pytest.fixture(scope="session")
def pool() -> Iterator[ProcessPoolExecutor]:
    made = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    yield made
    for process in list(made._processes.values()):
        process.kill()
    made.shutdown()


def test_leaves(pool: ProcessPoolExecutor) -> None:
    KEPT.append(pool.submit(time.sleep, 60))


def test_neighbour() -> None:
    pass
