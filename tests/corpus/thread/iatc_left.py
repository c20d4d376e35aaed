# expect: TL301 ServiceTest::test_leaves what=work born=start
# why: a thread of an async method; the runner of the case knows nothing of it
# runner: IsolatedAsyncioTestCase
import asyncio
import threading
import unittest


def work(stop: threading.Event) -> None:
    stop.wait()


class ServiceTest(unittest.IsolatedAsyncioTestCase):
    async def test_leaves(self) -> None:
        threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start
        await asyncio.sleep(0)

    async def test_neighbour(self) -> None:
        await asyncio.sleep(0)
