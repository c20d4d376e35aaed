# expect: clean
# why: loop.close() without shutdown_default_executor tells the idle workers to stop
# runner: sync own loop
import asyncio


def test_closes() -> None:
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(asyncio.to_thread(len, "abc")) == 3
    loop.close()


def test_neighbour() -> None:
    pass
