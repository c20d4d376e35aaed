# expect: clean
# why: the default executor of the session's loop keeps its idle workers through the tests
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio


async def test_one() -> None:
    await asyncio.gather(*(asyncio.to_thread(len, "abc") for _ in range(4)))


async def test_two() -> None:
    assert await asyncio.to_thread(len, "abc") == 3


async def test_three() -> None:
    await asyncio.sleep(0)
