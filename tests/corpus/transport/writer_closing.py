# expect: clean
# why: close() was called last, the rest ends within a tick
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto --taskleak-severity=socket=fail
import asyncio
import socket


async def test_tidy() -> None:
    ours, other = socket.socketpair()
    with other:
        _, writer = await asyncio.open_connection(sock=ours)
        writer.close()
