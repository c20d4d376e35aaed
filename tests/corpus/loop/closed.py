# expect: clean
# why: each loop is closed, also after a failure inside
# runner: sync own loop
import asyncio
import contextlib

import pytest


async def fail() -> None:
    raise ValueError


def test_closes() -> None:
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        loop.close()


def test_closes_after_failure() -> None:
    with contextlib.closing(asyncio.new_event_loop()) as loop, pytest.raises(ValueError):
        loop.run_until_complete(fail())


def test_runs() -> None:
    asyncio.run(asyncio.sleep(0))
    with asyncio.Runner() as runner:
        runner.run(asyncio.sleep(0))
        runner.run(asyncio.sleep(0))
