# expect: clean
# why: a pool handed to the loop is the loop's default executor and goes with it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from concurrent.futures import ThreadPoolExecutor


async def main() -> int:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2, thread_name_prefix="mine"))
    return await asyncio.to_thread(len, "abc")


async def test_function_loop() -> None:
    assert await main() == 3


def test_run() -> None:
    assert asyncio.run(main()) == 3
