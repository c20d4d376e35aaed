# expect: clean
# why: the pool is the session's: that its workers are started in these tests makes them nobody else's
# runner: sync
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture(scope="session")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.mark.parametrize("text", ["a", "ab", "abc"])
def test_uses(pool: ThreadPoolExecutor, text: str) -> None:
    futures = [pool.submit(len, text) for _ in range(3)]
    assert [future.result() for future in futures] == [len(text)] * 3
