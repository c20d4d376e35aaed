# expect: TL541 fixture:watched on=test_uses what=on_data born=here
# why: the fixture's teardown closes the socket and forgets the reader
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import socket
from collections.abc import AsyncIterator

import pytest_asyncio


def on_data() -> None:
    pass


@pytest_asyncio.fixture
async def watched() -> AsyncIterator[socket.socket]:
    ours, other = socket.socketpair()
    with ours, other:
        asyncio.get_running_loop().add_reader(ours, on_data)  # born:here
        yield other


async def test_uses(watched: socket.socket) -> None:
    watched.send(b"x")


async def test_neighbour() -> None:
    await asyncio.sleep(0)
