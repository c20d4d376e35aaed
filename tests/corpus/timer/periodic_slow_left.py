# expect: TL201 test_leaves what=poll
# why: re-arms itself every minute; the function is a closure
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio

POLLED: list[float] = []


def poll(loop: asyncio.AbstractEventLoop) -> None:
    POLLED.append(loop.time())
    loop.call_later(60, poll, loop)


async def test_leaves() -> None:
    poll(asyncio.get_running_loop())
    assert POLLED


async def test_neighbour() -> None:
    await asyncio.sleep(0)
