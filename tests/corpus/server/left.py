# expect: TL501 test_leaves what=serve born=here
# why: nobody closes the server, its loop lives until the test's end
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


async def test_leaves() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)  # born:here
    assert server.is_serving()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
