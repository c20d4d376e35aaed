# expect: TL511 fixture:line on=test_uses what=StreamReaderProtocol born=here
# why: the fixture opens a connection and has no teardown
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import socket

import pytest_asyncio

Line = tuple[asyncio.StreamWriter, socket.socket]


@pytest_asyncio.fixture
async def line() -> Line:
    ours, other = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=ours)  # born:here
    return writer, other


async def test_uses(line: Line) -> None:
    line[0].write(b"hello")


async def test_neighbour() -> None:
    await asyncio.sleep(0)
