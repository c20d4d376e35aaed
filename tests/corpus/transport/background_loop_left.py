# expect: TL511 test_leaves what=Client born=here
# why: a loop in a thread is stopped and closed under a transport
# runner: loop in thread
import asyncio
import socket
import threading


class Client(asyncio.Protocol):
    pass


def run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


async def connect(sock: socket.socket) -> asyncio.BaseTransport:
    transport, _ = await asyncio.get_running_loop().create_connection(Client, sock=sock)  # born:here
    return transport


def test_leaves() -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=run, args=(loop,))
    thread.start()
    ours, other = socket.socketpair()
    with other:
        asyncio.run_coroutine_threadsafe(connect(ours), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def test_tidy() -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=run, args=(loop,))
    thread.start()
    ours, other = socket.socketpair()
    with other:
        transport = asyncio.run_coroutine_threadsafe(connect(ours), loop).result()
        loop.call_soon_threadsafe(transport.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
