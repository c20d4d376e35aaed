# expect: TL701 test_loses what=boom born=here
# why: the loop runs in a thread of the test
# runner: thread
import asyncio
import threading


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def main() -> None:
    asyncio.create_task(boom())  # born:here
    await turns()


def test_loses() -> None:
    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join()


def test_neighbour() -> None:
    thread = threading.Thread(target=lambda: asyncio.run(turns()))
    thread.start()
    thread.join()
