# expect: TL101 test_leaves what=Poller.run born=start
# why: auto mode, and the task is made in a method of the code under test, called by the test
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


class Poller:
    def start(self) -> None:
        self.task = asyncio.create_task(self.run(), name="poller")  # born:start

    async def run(self) -> None:
        while True:
            await asyncio.sleep(3600)


async def test_leaves() -> None:
    Poller().start()
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)


def test_sync_neighbour() -> None:
    pass
