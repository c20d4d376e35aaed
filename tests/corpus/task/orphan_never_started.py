# expect: TL101 test_leaves what=forever born=here
# why: made by the last statement of the test, its coroutine has not even begun
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


async def test_leaves() -> None:
    asyncio.create_task(forever())  # born:here


async def test_neighbour() -> None:
    await asyncio.sleep(0)
