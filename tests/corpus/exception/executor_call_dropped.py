# expect: TL701 test_loses
# why: the future of run_in_executor is dropped, and with it what the call raised
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import threading


async def test_loses() -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def stumble() -> None:
        raise ValueError("boom")

    loop.run_in_executor(None, stumble)
    loop.run_in_executor(None, loop.call_soon_threadsafe, done.set)
    await done.wait()
    await loop.shutdown_default_executor()
    await asyncio.sleep(0)


async def test_awaits() -> None:
    assert await asyncio.get_running_loop().run_in_executor(None, threading.active_count)
