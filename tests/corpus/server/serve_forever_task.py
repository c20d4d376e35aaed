# expect: TL101 test_leaves what=Server.serve_forever born=here
# why: the task in serve_forever closes the server when it ends, so it answers for it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


async def test_leaves() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    asyncio.create_task(server.serve_forever())  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
