# expect: TL711 test_forgets what=work born=here
# why: a thread of the test calls a coroutine function as if it were none
# runner: thread
import asyncio
import threading


async def work() -> None:
    await asyncio.sleep(0)


def serve() -> None:
    work()  # born:here


def test_forgets() -> None:
    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()


def test_runs() -> None:
    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    thread.join()
