# expect: clean
# why: the stream of trio is closed
# runner: anyio trio
# needs: anyio, trio
# args: --taskleak-severity=socket=fail
import pytest
import trio

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


kept: list[trio.SocketStream] = []


async def test_stream() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        stream = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
        kept.append(stream)
        await (await listener.accept()).aclose()
        await stream.aclose()


async def test_neighbour() -> None:
    await trio.sleep(0)
