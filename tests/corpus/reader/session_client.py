# expect: clean
# why: the session's client begins to watch in whichever test comes first, and stops with the session
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
import socket
from collections.abc import AsyncIterator

import pytest_asyncio


class Client:
    def __init__(self) -> None:
        self.ours, self.other = socket.socketpair()
        self.watching = False

    def on_data(self) -> None:
        self.ours.recv(1)

    def watch(self) -> None:
        if not self.watching:
            self.watching = True
            asyncio.get_running_loop().add_reader(self.ours, self.on_data)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.ours)
        self.ours.close()
        self.other.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    made.close()


async def test_first(client: Client) -> None:
    client.watch()


async def test_last(client: Client) -> None:
    client.watch()
