# expect: TL101 test_asks what=ask born=here cause=blocked-call finality=outside
# why: the call in a thread does not return (it gives up after 1.5 s)
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto --taskleak-detect=task
import asyncio
import threading


def block(begun: threading.Event) -> None:
    begun.set()
    threading.Event().wait(1.5)


async def ask(begun: threading.Event) -> None:
    await asyncio.to_thread(block, begun)


async def test_asks() -> None:
    begun = threading.Event()
    asyncio.create_task(ask(begun), name="asker")  # born:here
    await asyncio.sleep(0)
    begun.wait()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
