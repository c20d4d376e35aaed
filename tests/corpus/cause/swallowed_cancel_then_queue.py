# expect: TL101 test_stops what=stubborn born=here cause=swallowed-cancel finality=swallows|stuck
# waits: *Queue*get*
# why: it took the test's cancel for an empty inbox, and went back to wait for what never comes
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: list[asyncio.Task[str]] = []


async def stubborn(inbox: asyncio.Queue[str]) -> str:
    try:
        return await inbox.get()
    except asyncio.CancelledError:
        pass
    return await inbox.get()


async def test_stops() -> None:
    task = asyncio.create_task(stubborn(asyncio.Queue()), name="stubborn")  # born:here
    TASKS.append(task)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
