# expect: TL701 test_loses
# why: the future of gather() itself ends with an exception and is dropped
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_loses() -> None:
    asyncio.gather(boom(), turns())
    await turns()
    await turns()


async def test_neighbour() -> None:
    await turns()
