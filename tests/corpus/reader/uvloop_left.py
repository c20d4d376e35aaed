# expect: TL541 test_reader what=on_data born=here
# why: a uvloop is closed that still has the reader
# runner: uvloop
# needs: uvloop
import asyncio
import socket

import uvloop


def on_data() -> None:
    pass


async def main(sock: socket.socket) -> None:
    asyncio.get_running_loop().add_reader(sock, on_data)  # born:here


def test_reader() -> None:
    ours, other = socket.socketpair()
    with ours, other, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(ours))


def test_neighbour() -> None:
    pass
