# expect: clean
# why: closed loops are dropped and collected, in the same test and in the next
# runner: sync own loop
import asyncio
import gc


def run() -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_collects() -> None:
    run()
    gc.collect()
    run()


def test_neighbour() -> None:
    gc.collect()
