# expect: TL101 test_polls what=Poller.run born=here cause=no-stop finality=outside
# waits: *sleep*
# kept: *REGISTRY*main*task*
# why: a worker that loops around a sleep, kept by a registry of the module, and nobody calls its stop
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

REGISTRY: dict[str, "Poller"] = {}


class Poller:
    def __init__(self) -> None:
        self.polled = 0
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.task = asyncio.create_task(self.run())  # born:here

    async def run(self) -> None:
        while True:
            self.polled += 1
            await asyncio.sleep(30)


async def test_polls() -> None:
    REGISTRY["main"] = poller = Poller()
    poller.start()
    await asyncio.sleep(0)
    assert poller.polled == 1


async def test_neighbour() -> None:
    await asyncio.sleep(0)
