# expect: TL401 TestServer::test_leaves what=sleep born=made
# why: left by a method of an IsolatedAsyncioTestCase
# runner: IsolatedAsyncioTestCase
# needs: posix
import asyncio
import unittest

KEPT: list[object] = []


class TestServer(unittest.IsolatedAsyncioTestCase):
    async def test_leaves(self) -> None:
        KEPT.append(await asyncio.create_subprocess_exec("sleep", "60"))  # born:made

    async def test_neighbour(self) -> None:
        await asyncio.sleep(0)
