# expect: TL511 LineTest::test_leaves what=Client born=here
# why: the case's runner closes its loop under the transport
# runner: IsolatedAsyncioTestCase
import asyncio
import socket
import unittest


class Client(asyncio.Protocol):
    pass


peers: list[socket.socket] = []


def teardown_module() -> None:
    for peer in peers:
        peer.close()


class LineTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.ours, self.other = socket.socketpair()
        peers.append(self.other)

    async def test_leaves(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(Client, sock=self.ours)  # born:here

    async def test_tidy(self) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(Client, sock=self.ours)
        transport.close()
