# expect: TL711 test_forgets what=work
# why: call_soon calls the coroutine function and drops what it returns
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio


async def work() -> None:
    await asyncio.sleep(0)


async def test_forgets() -> None:
    asyncio.get_running_loop().call_soon(work)
    await asyncio.sleep(0)


async def test_wraps() -> None:
    done = asyncio.get_running_loop().call_soon(lambda: None)
    await asyncio.sleep(0)
    assert not done.cancelled()
