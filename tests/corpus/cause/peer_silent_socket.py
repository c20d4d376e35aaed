# expect: TL102 test_listens what=listen born=here cause=peer-silent finality=outside
# waits: *sock_recv*|*socket*
# why: the same with a bare socket
# runner: sync asyncio.run
# args: --taskleak-detect=task
import asyncio
import socket

PAIRS: list[socket.socket] = []


async def listen(ours: socket.socket) -> bytes:
    return await asyncio.get_running_loop().sock_recv(ours, 100)


async def main() -> None:
    ours, theirs = socket.socketpair()
    PAIRS.extend((ours, theirs))
    ours.setblocking(False)
    asyncio.create_task(listen(ours), name="listener")  # born:here
    await asyncio.sleep(0)


def test_listens() -> None:
    asyncio.run(main())
