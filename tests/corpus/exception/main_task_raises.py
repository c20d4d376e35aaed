# expect: clean
# why: asyncio.run and gather hand the exception on to the caller
# runner: asyncio.run
import asyncio

import pytest


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def both() -> None:
    await asyncio.gather(boom(), boom())


def test_run() -> None:
    with pytest.raises(ValueError, match="boom"):
        asyncio.run(boom())


def test_gather() -> None:
    with pytest.raises(ValueError, match="boom"):
        asyncio.run(both())


def test_runner() -> None:
    with asyncio.Runner() as runner:
        for _ in range(2):
            with pytest.raises(ValueError, match="boom"):
                runner.run(boom())


def test_run_until_complete() -> None:
    loop = asyncio.new_event_loop()
    with pytest.raises(ValueError, match="boom"):
        loop.run_until_complete(boom())
    loop.close()
