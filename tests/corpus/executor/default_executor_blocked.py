# expect: TL304 test_leaves
# why: the call in the loop's default executor is still blocked when the test ends (it gives up after 1.5 s)
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import threading


def block(begun: threading.Event) -> None:
    begun.set()
    threading.Event().wait(1.5)


async def test_leaves() -> None:
    begun = threading.Event()
    asyncio.get_running_loop().run_in_executor(None, block, begun)
    begun.wait()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
