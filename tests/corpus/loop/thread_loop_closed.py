# expect: clean
# why: the thread closes its loop when it is told to stop, even if nobody waits for the thread
# runner: loop in thread
import asyncio
import threading


def serve(loops: list[asyncio.AbstractEventLoop], started: threading.Event) -> None:
    loop = asyncio.new_event_loop()
    loops.append(loop)
    loop.call_soon(started.set)
    try:
        loop.run_forever()
    finally:
        loop.close()


def start() -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
    loops: list[asyncio.AbstractEventLoop] = []
    started = threading.Event()
    thread = threading.Thread(target=serve, args=(loops, started))
    thread.start()
    started.wait()
    return loops[0], thread


def test_joins() -> None:
    loop, thread = start()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def test_does_not_join() -> None:
    loop, _ = start()
    loop.call_soon_threadsafe(loop.stop)


def test_runs_in_thread() -> None:
    thread = threading.Thread(target=lambda: asyncio.run(asyncio.sleep(0)))
    thread.start()
    thread.join()
