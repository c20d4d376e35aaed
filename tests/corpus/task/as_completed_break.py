# expect: TL101 test_leaves what=slow
# why: the loop over as_completed is left early, the slow one goes on
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def slow() -> str:
    await asyncio.sleep(3600)
    return "slow"


async def quick() -> str:
    await asyncio.sleep(0)
    return "quick"


async def test_leaves() -> None:
    for first in asyncio.as_completed([slow(), quick()]):
        assert await first == "quick"
        break


async def test_neighbour() -> None:
    await asyncio.sleep(0)
