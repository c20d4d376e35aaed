# expect: clean
# why: what a uvloop makes to wake itself is its own, open or closed
# runner: uvloop
# needs: uvloop, posix
# args: --taskleak-severity=socket=fail --taskleak-detect=socket
import asyncio

import uvloop

kept: list[asyncio.AbstractEventLoop] = []


async def processes() -> None:
    process = await asyncio.create_subprocess_exec("true", stdin=-1, stdout=-1)
    await process.communicate()


def test_run() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(processes())


def test_session_long() -> None:
    kept.append(uvloop.new_event_loop())
    kept[-1].run_until_complete(asyncio.sleep(0))


def test_neighbour() -> None:
    assert not kept[-1].is_closed()


def teardown_module() -> None:
    kept.pop().close()
