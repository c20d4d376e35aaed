# expect: TL601 test_leaves born=here
# why: made, set as the thread's current loop and never closed; tests after it may still use it
# runner: sync own loop
import asyncio


def test_leaves() -> None:
    loop = asyncio.new_event_loop()  # born:here
    asyncio.set_event_loop(loop)
    loop.run_until_complete(asyncio.sleep(0))


def test_neighbour() -> None:
    loop = asyncio.get_event_loop()
    assert not loop.is_closed()
    asyncio.set_event_loop(None)
    loop.close()
