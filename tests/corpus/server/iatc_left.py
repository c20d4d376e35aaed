# expect: TL501 ServiceTest::test_leaves what=serve born=here
# why: the case's runner closes its loop under the server
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


class ServiceTest(unittest.IsolatedAsyncioTestCase):
    async def test_before(self) -> None:
        await asyncio.sleep(0)

    async def test_leaves(self) -> None:
        await asyncio.start_server(serve, "127.0.0.1", 0)  # born:here

    async def test_neighbour(self) -> None:
        await asyncio.sleep(0)
