# expect: clean
# why: the server is closed by a cleanup of the case
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


class ServiceTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.addAsyncCleanup(self.stop)

    async def stop(self) -> None:
        self.server.close()
        await self.server.wait_closed()

    async def test_one(self) -> None:
        assert self.server.is_serving()
