# expect: TL101 test_asks what=ask born=here cause=blocked-call finality=outside
# why: a pool of the module, whose only thread is blocked for good
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto --taskleak-detect=task
import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

POOL = ThreadPoolExecutor(1)
GATE = threading.Event()


async def ask() -> bool:
    return await asyncio.get_running_loop().run_in_executor(POOL, GATE.wait)


async def test_asks() -> None:
    asyncio.create_task(ask(), name="asker")  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
