# expect: TL102 test_gather what=slow cause=losers-left finality=outside
# waits: *sleep*
# why: gather raises the first exception and leaves the others running
# runner: sync asyncio.run
import asyncio

import pytest


async def slow() -> None:
    await asyncio.sleep(30)


async def broken() -> None:
    await asyncio.sleep(0)
    raise ValueError("broken")


async def main() -> None:
    await asyncio.gather(slow(), broken())


def test_gather() -> None:
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(main())


def test_neighbour() -> None:
    pass
