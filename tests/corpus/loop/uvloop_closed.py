# expect: clean
# why: uvloop's loops are closed, by hand or by uvloop.run
# runner: uvloop
# needs: uvloop
import asyncio

import uvloop


def test_closes() -> None:
    loop = uvloop.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_runs() -> None:
    uvloop.run(asyncio.sleep(0))
