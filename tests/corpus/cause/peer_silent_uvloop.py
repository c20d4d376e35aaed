# expect: TL101 test_listens what=Client.read born=here cause=peer-silent finality=outside
# waits: *read*|*socket*|*Stream*
# why: a server of the module answers nothing, the transport is uvloop's
# runner: uvloop
# needs: pytest-asyncio, uvloop
# args: -o asyncio_mode=auto -W ignore::DeprecationWarning --taskleak-detect=task
import asyncio
import socket
from collections.abc import Iterator

import pytest
import uvloop


@pytest.fixture(scope="module")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    return uvloop.EventLoopPolicy()


@pytest.fixture(scope="module")
def silent() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


class Client:
    async def read(self, address: tuple[str, int]) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        try:
            return await reader.readexactly(4)
        finally:
            writer.close()


async def test_listens(silent: tuple[str, int]) -> None:
    task = asyncio.create_task(Client().read(silent), name="client")  # born:here
    await asyncio.wait({task}, timeout=0.1)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
