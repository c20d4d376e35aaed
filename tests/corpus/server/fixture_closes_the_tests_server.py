# expect: clean
# why: the fixture closes in its teardown whatever the test has started
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


class Servers:
    def __init__(self) -> None:
        self.started: list[asyncio.Server] = []

    async def start(self) -> asyncio.Server:
        self.started.append(await asyncio.start_server(serve, "127.0.0.1", 0))
        return self.started[-1]


@pytest_asyncio.fixture
async def servers() -> AsyncIterator[Servers]:
    made = Servers()
    yield made
    for server in made.started:
        server.close()
        await server.wait_closed()


async def test_tidy(servers: Servers) -> None:
    assert (await servers.start()).is_serving()
    assert (await servers.start()).is_serving()
