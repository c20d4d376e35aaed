# expect: TL101 test_saves what=save born=here finality=stuck
# maybe: TL101 test_saves what=commit cause=event-never-set finality=stuck
# waits: *Event*
# edge: task 'saver' -> task 'committer' [awaits]
# edge: task 'committer' -> asyncio.Event* [waits for]
# no-cycle:
# why: the link from the outer to the inner task leads through shield
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def commit(acknowledged: asyncio.Event) -> None:
    await acknowledged.wait()


async def save() -> None:
    inner = asyncio.create_task(commit(asyncio.Event()), name="committer")
    await asyncio.shield(inner)


async def test_saves() -> None:
    TASKS.append(asyncio.create_task(save(), name="saver"))  # born:here
    for _ in range(3):
        await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
