# expect: clean
# why: a cancelled handle stays in the loop's heap and means nothing
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


def remind() -> None: ...


async def test_cancels() -> None:
    asyncio.get_running_loop().call_later(3600, remind).cancel()


async def test_cancels_many() -> None:
    loop = asyncio.get_running_loop()
    for handle in [loop.call_at(loop.time() + 3600, remind) for _ in range(20)]:
        handle.cancel()
