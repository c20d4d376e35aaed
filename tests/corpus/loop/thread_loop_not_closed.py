# expect: TL601 test_leaves born=here
# why: the loop's thread has ended, the loop was stopped and never closed
# runner: loop in thread
import asyncio
import threading

LOOPS: list[asyncio.AbstractEventLoop] = []


def serve(started: threading.Event) -> None:
    loop = asyncio.new_event_loop()  # born:here
    LOOPS.append(loop)
    loop.call_soon(started.set)
    loop.run_forever()


def test_leaves() -> None:
    started = threading.Event()
    thread = threading.Thread(target=serve, args=(started,))
    thread.start()
    started.wait()
    LOOPS[0].call_soon_threadsafe(LOOPS[0].stop)
    thread.join()


def test_neighbour() -> None:
    pass
