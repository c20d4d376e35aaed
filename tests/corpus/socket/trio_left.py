# expect: TL521 test_stream what=socket severity=note
# why: a stream of trio that is kept and never closed is a socket
# runner: anyio trio
# needs: anyio, trio
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


async def test_neighbour() -> None:
    await trio.sleep(0)
