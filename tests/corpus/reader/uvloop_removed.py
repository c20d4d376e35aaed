# expect: clean
# why: the reader is removed from the uvloop
# runner: uvloop
# needs: uvloop
import asyncio
import socket

import uvloop


def on_data() -> None:
    pass


async def main(sock: socket.socket) -> None:
    asyncio.get_running_loop().add_reader(sock, on_data)
    asyncio.get_running_loop().remove_reader(sock)


def test_reader() -> None:
    ours, other = socket.socketpair()
    with ours, other, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(ours))


def test_neighbour() -> None:
    pass
