# expect: TL633 test_leaves what=stop born=here
# why: the function's loop is open, and hands the signal on to a callback of a test that is over
# runner: pytest-asyncio function
# needs: pytest-asyncio, posix
# args: -o asyncio_mode=auto
import asyncio
import signal

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="function")


def stop() -> None:
    pass


async def test_leaves() -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)  # born:here


async def test_removes() -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, stop)
    loop.remove_signal_handler(signal.SIGUSR1)


async def test_neighbour() -> None:
    pass
