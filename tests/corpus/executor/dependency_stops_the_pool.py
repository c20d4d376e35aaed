# expect: clean
# why: the fixture's pool is shut down by the ExitStack fixture that it depends on
# runner: sync
import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def pool(stack: contextlib.ExitStack) -> ThreadPoolExecutor:
    return stack.enter_context(ThreadPoolExecutor(1))


def test_uses(pool: ThreadPoolExecutor) -> None:
    assert pool.submit(len, "abc").result() == 3


def test_neighbour() -> None:
    pass
