# expect: clean
# why: the idle worker of a loop's default executor after to_thread is no leak
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def test_to_thread() -> None:
    assert await asyncio.to_thread(len, "abc") == 3


async def test_run_in_executor() -> None:
    assert await asyncio.get_running_loop().run_in_executor(None, len, "abc") == 3
