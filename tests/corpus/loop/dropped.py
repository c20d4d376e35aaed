# expect: TL601 test_leaves born=here
# why: the loop is dropped without close(); the collector has not found it when the test ends
# runner: sync own loop
import asyncio


def test_leaves() -> None:
    loop = asyncio.new_event_loop()  # born:here
    loop.run_until_complete(asyncio.sleep(0))
    del loop


def test_neighbour() -> None:
    pass
