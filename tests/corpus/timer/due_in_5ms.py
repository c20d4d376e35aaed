# expect: clean
# why: it fires by itself within the grace
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


def remind() -> None: ...


async def test_soon() -> None:
    asyncio.get_running_loop().call_later(0.005, remind)


async def test_overdue() -> None:
    loop = asyncio.get_running_loop()
    loop.call_at(loop.time() - 1, remind)
