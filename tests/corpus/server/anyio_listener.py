# expect: clean
# why: a listener of anyio serves in a task group, on both backends
# runner: anyio
# needs: anyio, trio
# args: --taskleak-severity=socket=fail
import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def serve(stream: SocketStream) -> None:
    async with stream:
        await stream.send(await stream.receive())


async def test_tidy() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)
        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, serve)
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(b"hello")
                assert await stream.receive() == b"hello"
            group.cancel_scope.cancel()
