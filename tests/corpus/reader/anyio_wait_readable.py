# expect: clean
# why: anyio removes its reader when the wait ends or is cancelled
# runner: anyio asyncio
# needs: anyio
import socket

import anyio
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_ends() -> None:
    ours, other = socket.socketpair()
    with ours, other:
        other.send(b"x")
        await anyio.wait_readable(ours)


async def test_cancelled() -> None:
    ours, other = socket.socketpair()
    with ours, other:
        with anyio.move_on_after(0.01):
            await anyio.wait_readable(ours)
