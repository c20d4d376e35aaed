# expect: clean
# why: a rule of the marker by the code
# runner: sync
from concurrent.futures import ThreadPoolExecutor

import pytest

POOLS: list[ThreadPoolExecutor] = []


@pytest.mark.taskleak(allow="TL303", reason="kept on purpose")
def test_leaves() -> None:
    POOLS.append(ThreadPoolExecutor(1))
    POOLS[0].submit(len, "abc").result()


def test_neighbour() -> None:
    pass
