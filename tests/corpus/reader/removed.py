# expect: clean
# why: removed by the socket, by its number, or replaced and removed
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import socket


def on_data() -> None:
    pass


async def test_removed() -> None:
    loop = asyncio.get_running_loop()
    ours, other = socket.socketpair()
    with ours, other:
        loop.add_reader(ours, on_data)
        loop.add_writer(ours, on_data)
        assert loop.remove_reader(ours)
        assert loop.remove_writer(ours.fileno())


async def test_replaced() -> None:
    loop = asyncio.get_running_loop()
    ours, other = socket.socketpair()
    with ours, other:
        loop.add_reader(ours, on_data)
        loop.add_reader(ours.fileno(), print)
        assert loop.remove_reader(ours)


async def test_removed_by_itself() -> None:
    loop = asyncio.get_running_loop()
    ours, other = socket.socketpair()
    with other:
        def once() -> None:
            loop.remove_reader(ours)
            ours.close()

        loop.add_reader(ours, once)
        other.send(b"x")
