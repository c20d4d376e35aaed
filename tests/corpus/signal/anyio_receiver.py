# expect: clean
# why: anyio's signal receiver puts back what it found, on both backends
# runner: anyio
# needs: anyio, trio, posix
# args: -p no:asyncio
import signal

import anyio
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


async def test_receives() -> None:
    with anyio.open_signal_receiver(signal.SIGUSR1) as received:
        signal.raise_signal(signal.SIGUSR1)
        async for number in received:
            assert number == signal.SIGUSR1
            break
