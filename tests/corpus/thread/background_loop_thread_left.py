# expect: TL301 test_leaves born=start
# why: the loop thread of the test runs for good; nothing is pending on its loop
# runner: loop in thread
import asyncio
import threading


async def ping() -> str:
    return "pong"


def test_leaves() -> None:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()  # born:start
    assert asyncio.run_coroutine_threadsafe(ping(), loop).result() == "pong"


def test_neighbour() -> None:
    pass
