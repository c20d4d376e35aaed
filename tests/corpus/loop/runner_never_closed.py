# expect: TL601 test_leaves born=here
# why: a Runner that is used without `with` and never closed leaves its loop open
# runner: sync Runner
import asyncio

RUNNERS: list[asyncio.Runner] = []


def test_leaves() -> None:
    runner = asyncio.Runner()
    RUNNERS.append(runner)
    runner.run(asyncio.sleep(0))  # born:here


def test_neighbour() -> None:
    with asyncio.Runner() as runner:
        runner.run(asyncio.sleep(0))
