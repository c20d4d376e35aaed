# expect: TL101 test_announces what=announce born=here cause=reentry finality=stuck
# waits: *Lock*|*Condition*
# edge: asyncio.* -> task 'announcer' [held by]
# why: the lock is a condition's
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

TASKS: set[asyncio.Task[None]] = set()


async def notify(changed: asyncio.Condition) -> None:
    async with changed:
        changed.notify_all()


async def announce(changed: asyncio.Condition) -> None:
    async with changed:
        await notify(changed)


async def test_announces() -> None:
    TASKS.add(asyncio.create_task(announce(asyncio.Condition()), name="announcer"))  # born:here
    for _ in range(3):
        await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
