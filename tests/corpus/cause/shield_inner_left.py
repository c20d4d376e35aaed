# expect: TL101 test_cancels what=commit born=here cause=event-never-set finality=stuck
# waits: *Event*
# edge: task 'committer' -> asyncio.Event* [waits for]
# why: the outer one was cancelled and awaited; shield kept the inner one, which waits for good
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest

TASKS: list[asyncio.Task[None]] = []


async def commit(acknowledged: asyncio.Event) -> None:
    await acknowledged.wait()


async def save() -> None:
    inner = asyncio.create_task(commit(asyncio.Event()), name="committer")  # born:here
    TASKS.append(inner)
    await asyncio.shield(inner)


async def test_cancels() -> None:
    outer = asyncio.create_task(save(), name="saver")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    outer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer


async def test_neighbour() -> None:
    await asyncio.sleep(0)
