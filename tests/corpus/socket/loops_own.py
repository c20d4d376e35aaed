# expect: clean
# why: what a loop makes to wake itself is its own, open or closed
# runner: sync own loop
# needs: trio
# args: --taskleak-severity=socket=fail --taskleak-detect=socket
import asyncio

import trio

kept: list[asyncio.AbstractEventLoop] = []


def test_stock() -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_run() -> None:
    asyncio.run(asyncio.sleep(0))


def test_trio() -> None:
    trio.run(trio.sleep, 0)


def test_session_long() -> None:
    kept.append(asyncio.new_event_loop())
    kept[-1].run_until_complete(asyncio.sleep(0))


def test_neighbour() -> None:
    assert not kept[-1].is_closed()


def teardown_module() -> None:
    kept.pop().close()
