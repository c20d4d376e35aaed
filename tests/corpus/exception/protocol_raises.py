# expect: TL702 test_raises what=Stumbling.data_received
# why: the transport closes the connection and only logs what data_received raised
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


class Stumbling(asyncio.Protocol):
    def data_received(self, data: bytes) -> None:
        raise ValueError("boom")


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)
        self.transport.close()


async def talk(protocol: type[asyncio.Protocol]) -> bytes:
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"x")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
    return answer


async def test_raises() -> None:
    assert await talk(Stumbling) == b""


async def test_neighbour() -> None:
    assert await talk(Echo) == b"x"
