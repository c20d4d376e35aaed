# expect: clean
# why: the transport of a uvloop is closed
# runner: uvloop
# needs: uvloop
# args: --taskleak-severity=socket=fail
import asyncio
import socket

import uvloop


class Client(asyncio.Protocol):
    pass


async def main(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(Client, sock=sock)
    transport.close()


def test_transport() -> None:
    ours, other = socket.socketpair()
    with other, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(ours))


def test_neighbour() -> None:
    pass
