# expect: TL541 test_leaves what=on_data born=here
# why: asyncio.run closes the loop that still has the reader
# runner: asyncio.run
import asyncio
import socket


def on_data() -> None:
    pass


async def main(sock: socket.socket) -> None:
    asyncio.get_running_loop().add_reader(sock, on_data)  # born:here


def test_leaves() -> None:
    ours, other = socket.socketpair()
    with ours, other:
        asyncio.run(main(ours))


def test_neighbour() -> None:
    pass
