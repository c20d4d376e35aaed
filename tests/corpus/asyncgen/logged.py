# expect: clean
# why: only the log record of a caught exception, which pytest keeps for its report, still leads to it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import pytest


async def numbers() -> AsyncIterator[int]:
    for number in range(10):
        await asyncio.sleep(0)
        yield number


async def consume() -> None:
    generator = numbers()
    async for number in generator:
        if number == 2:
            raise ValueError


async def log() -> None:
    try:
        await consume()
    except ValueError:
        logging.exception("failed")


async def test_logs() -> None:
    await log()


@pytest.fixture
def teardown() -> Iterator[None]:
    yield


async def test_logs_before_a_teardown(teardown: None) -> None:
    await log()


@pytest.mark.asyncio(loop_scope="module")
async def test_logs_on_module_loop() -> None:
    await log()
