# expect: clean
# outcome: test_fails[first] failed
# outcome: test_fails[second] passed
# why: the traceback of the failed test keeps its locals into the next one, whose code is the same and innocent
# runner: sync
import asyncio
import gc

import pytest


async def work() -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("which", ["first", "second"])
def test_fails(which: str) -> None:
    job = work()
    if which == "first":
        raise AssertionError
    asyncio.run(job)


def test_collects() -> None:
    gc.collect()
