# expect: TL511 test_transport what=Client born=here
# why: uvloop is closed under an open transport
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
    transport, _ = await loop.create_connection(Client, sock=sock)  # born:here
    assert not transport.is_closing()


def test_transport() -> None:
    ours, other = socket.socketpair()
    with other, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(ours))


def test_neighbour() -> None:
    pass
