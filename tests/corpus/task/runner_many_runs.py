# expect: clean
# why: a task lives from one run of the Runner to the next and is awaited there
# runner: sync Runner
import asyncio


async def start(event: asyncio.Event) -> asyncio.Task[bool]:
    return asyncio.create_task(event.wait())


async def finish(event: asyncio.Event, task: asyncio.Task[bool]) -> bool:
    event.set()
    return await task


def test_two_runs() -> None:
    with asyncio.Runner() as runner:
        event = asyncio.Event()
        task = runner.run(start(event))
        assert runner.run(finish(event, task))


def test_neighbour() -> None:
    pass
