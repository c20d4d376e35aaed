# expect: TL501 test_leaves what=serve born=here
# why: the connections of a server that is left are told under it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

writers: set[asyncio.StreamWriter] = set()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writers.add(writer)
    writer.write(b"hello\n")


async def test_leaves() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)  # born:here
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    assert await reader.readline() == b"hello\n"
    writer.close()
    await writer.wait_closed()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
