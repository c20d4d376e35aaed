# expect: TL101|TL102 ClientTest::test_closes what=flush born=here cause=closed-without-waiting finality=outside
# waits: *sleep*
# why: the teardown cancels and goes; the cleanup in `except CancelledError` is still under way
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest


async def flush() -> None:
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        await asyncio.sleep(30)
        raise


class ClientTest(unittest.IsolatedAsyncioTestCase):
    async def test_closes(self) -> None:
        task = asyncio.create_task(flush())  # born:here
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)

    async def test_neighbour(self) -> None:
        await asyncio.sleep(0)
