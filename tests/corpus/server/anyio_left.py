# expect: TL501 test_leaves what=serve born=here
# why: a server of asyncio in a test of the anyio plugin
# runner: anyio asyncio
# needs: anyio
import asyncio

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


async def test_leaves() -> None:
    await asyncio.start_server(serve, "127.0.0.1", 0)  # born:here


async def test_neighbour() -> None:
    await asyncio.sleep(0)
