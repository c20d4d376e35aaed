# expect: TL702 test_raises what=*stumble
# why: the loop logs what the callback of add_reader raises
# runner: pytest-asyncio function
# needs: pytest-asyncio, posix
# args: -o asyncio_mode=auto
import asyncio
import socket


async def test_raises() -> None:
    loop = asyncio.get_running_loop()
    left, right = socket.socketpair()

    def stumble() -> None:
        loop.remove_reader(left)
        raise ValueError("boom")

    loop.add_reader(left, stumble)
    right.send(b"x")
    await asyncio.sleep(0.01)
    left.close()
    right.close()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
