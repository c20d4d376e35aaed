# expect: TL521 test_leaves what=socket severity=note
# why: loop.sock_accept hands its socket to the test, which keeps it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import socket

kept: list[socket.socket] = []


async def test_leaves() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        listener.setblocking(False)
        kept.append((await asyncio.get_running_loop().sock_accept(listener))[0])


async def test_neighbour() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        listener.setblocking(False)
        accepted, _ = await asyncio.get_running_loop().sock_accept(listener)
        accepted.close()
