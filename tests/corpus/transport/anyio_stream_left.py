# expect: TL511 test_leaves what=StreamProtocol
# why: a stream of anyio that is kept and never closed
# runner: anyio asyncio
# needs: anyio
# args: -W ignore::ResourceWarning
import socket

import anyio
import pytest
from anyio.abc import SocketStream

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


kept: list[SocketStream] = []


async def test_leaves() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept.append(await anyio.connect_tcp("127.0.0.1", listener.getsockname()[1]))
        listener.accept()[0].close()


async def test_neighbour() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with await anyio.connect_tcp("127.0.0.1", listener.getsockname()[1]):
            listener.accept()[0].close()
