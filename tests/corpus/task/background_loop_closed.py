# expect: TL103 test_leaves what=forever
# why: the test stops its background loop and closes it over a pending task
# runner: loop in thread
import asyncio
import threading


async def forever() -> None:
    await asyncio.sleep(3600)


async def start() -> None:
    asyncio.create_task(forever())
    await asyncio.sleep(0)


def test_leaves() -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(start(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_neighbour() -> None:
    pass
