# expect: TL511 test_tls what=Client born=here
# expect: TL511 test_tls what=Echo
# why: both ends of a TLS connection are left, each told once
# runner: uvloop
# needs: posix, uvloop
# args: --taskleak-severity=socket=fail
# with: tls.py as tls.py
import asyncio

import uvloop
from tls import contexts

class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[attr-defined]


class Client(asyncio.Protocol):
    def __init__(self) -> None:
        self.received = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.received.set()


async def main() -> None:
    ours, theirs = contexts()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, ssl=ours)
    address = server.sockets[0].getsockname()
    transport, client = await loop.create_connection(Client, *address, ssl=theirs, server_hostname="localhost")  # born:here
    transport.write(b"hello")
    await client.received.wait()
    server.close()


def test_tls() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_neighbour() -> None:
    pass
