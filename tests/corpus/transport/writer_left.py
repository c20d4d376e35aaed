# expect: TL511 test_leaves what=StreamReaderProtocol born=here
# why: a StreamWriter that is kept and never closed; that the peer has gone does not close it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import socket

kept: list[asyncio.StreamWriter] = []


async def test_leaves() -> None:
    ours, other = socket.socketpair()
    with other:
        reader, writer = await asyncio.open_connection(sock=ours)  # born:here
        kept.append(writer)
        other.send(b"hello\n")
        assert await reader.readline() == b"hello\n"


async def test_neighbour() -> None:
    await asyncio.sleep(0)
