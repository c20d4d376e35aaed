# expect: clean
# why: the connection of a session's pool is opened by whichever test comes first
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session --taskleak-severity=socket=fail
import asyncio
import socket
from collections.abc import AsyncIterator

import pytest_asyncio


class Pool:
    def __init__(self) -> None:
        self.idle: list[asyncio.StreamWriter] = []
        self.peers: list[socket.socket] = []

    async def ask(self) -> None:
        if not self.idle:
            ours, other = socket.socketpair()
            self.peers.append(other)
            _, writer = await asyncio.open_connection(sock=ours)
            self.idle.append(writer)
        self.idle[0].write(b"?")
        assert self.peers[0].recv(1) == b"?"

    async def close(self) -> None:
        for writer in self.idle:
            writer.close()
            await writer.wait_closed()
        for peer in self.peers:
            peer.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool() -> AsyncIterator[Pool]:
    made = Pool()
    yield made
    await made.close()


async def test_first(pool: Pool) -> None:
    await pool.ask()


async def test_last(pool: Pool) -> None:
    await pool.ask()
