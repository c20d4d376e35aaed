# expect: TL501 test_leaves what=serve born=here
# why: asyncio.run closes the loop under the listening server
# runner: asyncio.run
import asyncio


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)  # born:here
    assert server.is_serving()


def test_leaves() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    pass
