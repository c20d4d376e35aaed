# expect: TL101 test_leaves what=slow born=slow
# why: asyncio.wait cancels nothing; the pending set is dropped
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def slow() -> None:
    await asyncio.sleep(3600)


async def quick() -> None:
    await asyncio.sleep(0)


async def test_leaves() -> None:
    one = asyncio.create_task(slow())  # born:slow
    two = asyncio.create_task(quick())
    done, _ = await asyncio.wait({one, two}, return_when=asyncio.FIRST_COMPLETED)
    assert done == {two}


async def test_neighbour() -> None:
    await asyncio.sleep(0)
