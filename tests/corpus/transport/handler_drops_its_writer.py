# expect: clean
# why: since 3.13 nobody keeps the writer of a handler that has returned, and it closes its transport when it goes
# runner: asyncio.run
# needs: python>=3.13
# args: -W ignore::ResourceWarning
import asyncio


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello\n")


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    assert await reader.readline() == b"hello\n"
    writer.close()
    await writer.wait_closed()
    server.close()


def test_drops() -> None:
    asyncio.run(main())
