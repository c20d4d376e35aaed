# expect: TL541 test_leaves what=on_data born=here
# why: a writer is left on the test's own loop
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import socket


def on_data() -> None:
    pass


async def test_leaves() -> None:
    ours, other = socket.socketpair()
    with ours, other:
        asyncio.get_running_loop().add_writer(ours, on_data)  # born:here
        asyncio.get_running_loop().add_reader(ours, on_data)
        asyncio.get_running_loop().remove_reader(ours)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
