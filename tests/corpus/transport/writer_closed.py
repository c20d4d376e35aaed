# expect: clean
# why: the writer is closed and waited for
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto --taskleak-severity=socket=fail
import asyncio
import socket


async def test_tidy() -> None:
    ours, other = socket.socketpair()
    with other:
        _, writer = await asyncio.open_connection(sock=ours)
        writer.write(b"hello")
        writer.close()
        await writer.wait_closed()
        assert other.recv(10) == b"hello"
