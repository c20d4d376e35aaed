# expect: clean
# why: futures that are resolved by a timer, a task and a thread; a shielded task that is awaited later
# runner: IsolatedAsyncioTestCase
import asyncio
import unittest


class FutureTest(unittest.IsolatedAsyncioTestCase):
    async def test_by_timer(self) -> None:
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[int] = loop.create_future()
        loop.call_later(0.01, reply.set_result, 1)
        self.assertEqual(await reply, 1)

    async def test_by_thread(self) -> None:
        self.assertEqual(await asyncio.to_thread(len, "abc"), 3)

    async def test_shielded(self) -> None:
        ready = asyncio.Event()
        inner = asyncio.create_task(ready.wait())
        outer = asyncio.ensure_future(asyncio.shield(inner))
        await asyncio.sleep(0)
        outer.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await outer
        ready.set()
        self.assertTrue(await inner)
