# expect: TL201 test_ticks what=Ticker.tick cause=timer-rearms finality=outside
# why: each tick arms the next one
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


class Ticker:
    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.ticked = asyncio.Event()
        self.tick()

    def tick(self) -> None:
        self.ticked.set()
        self.handle = self.loop.call_later(0.01, self.tick)


async def test_ticks() -> None:
    ticker = Ticker()
    ticker.ticked.clear()
    await ticker.ticked.wait()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
