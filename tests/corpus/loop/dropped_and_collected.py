# expect: TL601 test_leaves born=here
# why: the loop is dropped without close(), and destroyed by the collector before its test ends
# runner: sync own loop
# args: -W ignore::pytest.PytestUnraisableExceptionWarning
import asyncio
import gc


def run() -> None:
    loop = asyncio.new_event_loop()  # born:here
    loop.run_until_complete(asyncio.sleep(0))


def test_leaves() -> None:
    run()
    gc.collect()


def test_neighbour() -> None:
    gc.collect()
