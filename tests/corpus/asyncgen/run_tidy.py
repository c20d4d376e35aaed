# expect: clean
# why: what nobody holds is closed by the loop itself; an exception on its way holds nothing for good
# runner: asyncio.run
import asyncio
import logging
from collections.abc import AsyncIterator

import pytest


async def numbers() -> AsyncIterator[int]:
    for number in range(10):
        await asyncio.sleep(0)
        yield number


async def breaks() -> None:
    generator = numbers()
    async for number in generator:
        if number == 2:
            break


async def last_statement() -> None:
    await anext(numbers())


async def fails() -> None:
    generator = numbers()
    async for number in generator:
        if number == 2:
            raise ValueError


async def logs() -> None:
    try:
        await fails()
    except ValueError:
        logging.exception("failed")


@pytest.mark.parametrize("main", [breaks, last_statement, logs])
def test_drops(main) -> None:
    asyncio.run(main())


def test_raises() -> None:
    with pytest.raises(ValueError) as caught:
        asyncio.run(fails())
    assert caught.traceback

