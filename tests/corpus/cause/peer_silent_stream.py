# expect: TL101 test_listens what=listen born=here cause=peer-silent finality=outside
# waits: *read*|*socket*|*Stream*
# why: the peer is connected, and says nothing
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto --taskleak-detect=task
import asyncio
import socket

PEERS: list[socket.socket] = []


async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    try:
        return await reader.readline()
    finally:
        writer.close()


async def test_listens() -> None:
    ours, theirs = socket.socketpair()
    PEERS.append(theirs)
    reader, writer = await asyncio.open_connection(sock=ours)
    asyncio.create_task(listen(reader, writer), name="listener")  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
