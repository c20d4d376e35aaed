# expect: clean
# why: a timer that is cancelled, and one that arms itself three times and no more
# runner: sync asyncio.run
import asyncio


class Ticker:
    def __init__(self, times: int) -> None:
        self.left = times
        self.done = asyncio.Event()
        self.tick()

    def tick(self) -> None:
        self.left -= 1
        if self.left:
            asyncio.get_running_loop().call_later(0.001, self.tick)
        else:
            self.done.set()


async def main() -> None:
    asyncio.get_running_loop().call_later(30, print).cancel()
    await Ticker(3).done.wait()


def test_timers() -> None:
    asyncio.run(main())
