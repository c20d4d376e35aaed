# expect: TL101 test_leaves what=forever born=here
# expect: TL601 test_leaves
# why: the runner is kept open, so is its loop: the task is left running
# runner: sync Runner
import asyncio

RUNNERS: list[asyncio.Runner] = []


async def forever() -> None:
    await asyncio.sleep(3600)


async def start() -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


def test_leaves() -> None:
    runner = asyncio.Runner()
    RUNNERS.append(runner)
    runner.run(start())


def test_neighbour() -> None:
    pass
