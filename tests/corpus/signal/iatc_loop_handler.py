# expect: TL633 TestCase::test_drops what=TestCase.stop born=here
# why: whoever adds a handler to a loop that it does not own has to remove it
# runner: IsolatedAsyncioTestCase
# needs: posix
import asyncio
import signal
import unittest


class TestCase(unittest.IsolatedAsyncioTestCase):
    def stop(self) -> None:
        pass

    async def test_drops(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.stop)  # born:here

    async def test_cleans_up(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        self.addCleanup(loop.remove_signal_handler, signal.SIGTERM)
