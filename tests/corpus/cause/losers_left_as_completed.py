# expect: TL101 test_first what=query cause=losers-left finality=outside
# waits: *sleep*
# why: the loop over as_completed is left with the first answer
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def query(replica: int) -> int:
    await asyncio.sleep(30 * replica)
    return replica


async def test_first() -> None:
    for answer in asyncio.as_completed([query(0), query(1)]):
        assert await answer == 0
        break


async def test_neighbour() -> None:
    await asyncio.sleep(0)
