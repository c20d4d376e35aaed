# expect: TL511 test_leaves what=Client born=here
# why: asyncio.run closes its loop under an open transport
# runner: asyncio.run
import asyncio
import socket


class Client(asyncio.Protocol):
    pass


async def main(sock: socket.socket) -> None:
    await asyncio.get_running_loop().create_connection(Client, sock=sock)  # born:here


def test_leaves() -> None:
    ours, other = socket.socketpair()
    with other:
        asyncio.run(main(ours))


async def tidy(sock: socket.socket) -> None:
    transport, _ = await asyncio.get_running_loop().create_connection(Client, sock=sock)
    transport.close()


def test_tidy() -> None:
    ours, other = socket.socketpair()
    with other:
        asyncio.run(tidy(ours))
