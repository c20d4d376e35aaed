# expect: clean
# why: the connection tasks of a session's stream server are made by the loop's reader, during the tests
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest_asyncio

Address = tuple[str, int]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def address() -> AsyncIterator[Address]:
    connections: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            while line := await reader.readline():
                writer.write(line)
                await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield host, port
    server.close()
    for task in connections:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*connections, return_exceptions=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def line(address: Address) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address)
    yield reader, writer
    writer.close()
    await writer.wait_closed()


async def test_kept_connection(line: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    reader, writer = line
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"


async def test_own_connection(address: Address) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    writer.close()
    await writer.wait_closed()
