# expect: TL501 test_server what=serve born=here
# why: a server on a unix socket is left listening
# runner: pytest-asyncio function
# needs: pytest-asyncio, posix
# args: -o asyncio_mode=auto
import asyncio
import tempfile
from pathlib import Path


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


async def test_server() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        server = await asyncio.start_unix_server(serve, path)  # born:here
        _, writer = await asyncio.open_unix_connection(path)
        writer.close()
        await writer.wait_closed()
        assert server.is_serving()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
