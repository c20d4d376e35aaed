# expect: TL511 test_leaves what=serve
# why: the same under asyncio.run
# runner: asyncio.run
import asyncio

writers: set[asyncio.StreamWriter] = set()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writers.add(writer)
    writer.write(b"hello\n")


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    assert await reader.readline() == b"hello\n"
    writer.close()
    await writer.wait_closed()
    server.close()


def test_leaves() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    pass
