# expect: clean
# why: waited for by the test
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def test_fires() -> None:
    fired = asyncio.Event()
    asyncio.get_running_loop().call_later(0.001, fired.set)
    await fired.wait()
