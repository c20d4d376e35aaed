# expect: TL633 test_leaves what=stop born=here
# expect: TL601 test_leaves
# why: uvloop's loop stays open with its handler; the twin removes it and closes the loop
# runner: uvloop
# needs: uvloop, posix
import asyncio
import signal

import uvloop

LOOPS: list[asyncio.AbstractEventLoop] = []


def stop() -> None:
    pass


def test_leaves() -> None:
    loop = uvloop.new_event_loop()
    LOOPS.append(loop)
    loop.add_signal_handler(signal.SIGTERM, stop)  # born:here
    loop.run_until_complete(asyncio.sleep(0))


def test_removes() -> None:
    loop = uvloop.new_event_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.run_until_complete(asyncio.sleep(0))
    loop.remove_signal_handler(signal.SIGTERM)
    loop.close()
