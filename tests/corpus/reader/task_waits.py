# expect: TL101 test_leaves what=readable born=here
# why: the task that waits removes its reader when it ends, so it answers for it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import socket

kept: list[socket.socket] = []


async def readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.add_reader(sock, future.set_result, None)
    try:
        await future
    finally:
        loop.remove_reader(sock)


async def test_leaves() -> None:
    kept.extend(socket.socketpair())
    asyncio.create_task(readable(kept[0]))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)


def teardown_module() -> None:
    for own in kept:
        own.close()
