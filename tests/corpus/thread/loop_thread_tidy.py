# expect: clean
# why: a loop in a thread of the test, stopped, joined and closed
# runner: loop in thread
import asyncio
import threading


async def ping() -> str:
    await asyncio.sleep(0)
    return "pong"


def test_background() -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    assert asyncio.run_coroutine_threadsafe(ping(), loop).result() == "pong"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_run_in_thread() -> None:
    thread = threading.Thread(target=lambda: asyncio.run(ping()))
    thread.start()
    thread.join()
