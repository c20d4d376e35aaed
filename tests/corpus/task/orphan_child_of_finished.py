# expect: TL101 test_leaves what=child born=here
# why: the parent is awaited and done, its child lives on; the test owns grandchildren too
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def child() -> None:
    await asyncio.sleep(3600)


async def parent() -> None:
    asyncio.create_task(child())  # born:here
    await asyncio.sleep(0)


async def test_leaves() -> None:
    await asyncio.create_task(parent())


async def test_neighbour() -> None:
    await asyncio.sleep(0)
