# expect: clean
# why: a module fixture of the anyio plugin holds a task group; its server starts children during the tests
# runner: anyio
# needs: anyio
from collections.abc import AsyncIterator

import anyio
import pytest
from anyio.abc import TaskGroup

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class Server:
    def __init__(self, group: TaskGroup) -> None:
        self.group = group
        self.send, self.receive = anyio.create_memory_object_stream[anyio.Event](8)

    async def handle(self, begun: anyio.Event) -> None:
        begun.set()
        await anyio.sleep_forever()

    async def serve(self) -> None:
        async for begun in self.receive:
            self.group.start_soon(self.handle, begun)


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    async with anyio.create_task_group() as group:
        server = Server(group)
        group.start_soon(server.serve)
        yield server
        server.send.close()
        group.cancel_scope.cancel()
    server.receive.close()


async def test_one(server: Server) -> None:
    begun = anyio.Event()
    await server.send.send(begun)
    await begun.wait()


async def test_two(server: Server) -> None:
    begun = anyio.Event()
    await server.send.send(begun)
    await begun.wait()
