# expect: clean
# why: the peer has closed, the end of the stream closes the transport within the grace
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import socket


class Client(asyncio.Protocol):
    pass


async def test_tidy() -> None:
    ours, other = socket.socketpair()
    await asyncio.get_running_loop().create_connection(Client, sock=ours)
    other.close()
