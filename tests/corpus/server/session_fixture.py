# expect: clean
# why: the connections that a session's server accepts during the tests are the server's
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

Address = tuple[str, int]


class Chat:
    def __init__(self) -> None:
        self.writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        while line := await reader.readline():
            writer.write(line)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def address() -> AsyncIterator[Address]:
    chat = Chat()
    server = await asyncio.start_server(chat.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield host, port
    server.close()
    for writer in chat.writers:
        writer.close()


async def test_first(address: Address) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    writer.close()
    await writer.wait_closed()


async def test_last(address: Address) -> None:
    _, writer = await asyncio.open_connection(*address)
    writer.close()
    await writer.wait_closed()
