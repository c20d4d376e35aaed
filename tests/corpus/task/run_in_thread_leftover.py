# expect: TL102 test_leaves what=forever born=here
# why: asyncio.run in a joined thread of the test: its leftover is the test's
# runner: loop in thread
import asyncio
import threading


async def forever() -> None:
    await asyncio.sleep(3600)


async def main() -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


def test_leaves() -> None:
    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    thread.join()


def test_neighbour() -> None:
    pass
