# expect: TL102 test_spins what=Watcher.watch born=here cause=busy-loop finality=spins
# why: the same under asyncio.run, with the flag in an object
# runner: sync asyncio.run
import asyncio


class Watcher:
    def __init__(self) -> None:
        self.changes = 0

    async def watch(self) -> None:
        while True:
            if self.changes:
                self.changes -= 1
            await asyncio.sleep(0)


async def main() -> None:
    asyncio.create_task(Watcher().watch(), name="watcher")  # born:here
    await asyncio.sleep(0)


def test_spins() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    pass
