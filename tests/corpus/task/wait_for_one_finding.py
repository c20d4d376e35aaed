# expect: TL101 test_leaves what=worker born=here
# why: on 3.11 wait_for runs its coroutine in a second task; with its timer that is still one leak
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def worker() -> None:
    await asyncio.wait_for(asyncio.sleep(3600), timeout=7200)


async def test_leaves() -> None:
    asyncio.create_task(worker())  # born:here
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
