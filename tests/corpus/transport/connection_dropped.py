# expect: TL511 test_leaves what=Client born=here
# why: the loop keeps a transport that nobody else does
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import socket


class Client(asyncio.Protocol):
    pass


peers: list[socket.socket] = []


async def test_leaves() -> None:
    ours, other = socket.socketpair()
    peers.append(other)
    await asyncio.get_running_loop().create_connection(Client, sock=ours)  # born:here


async def test_neighbour() -> None:
    await asyncio.sleep(0)


def teardown_module() -> None:
    peers.pop().close()
