# expect: TL101|TL102 test_changes what=watch born=here cause=notify-missing finality=stuck
# waits: *Condition*
# edge: task 'watcher' -> anyio.Condition* [waits for]
# why: the same with anyio's condition
# runner: anyio
# needs: anyio
import asyncio

import anyio
import pytest

pytestmark = pytest.mark.anyio
TASKS: list[asyncio.Task[None]] = []


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def watch(changed: anyio.Condition) -> None:
    async with changed:
        await changed.wait()


async def test_changes() -> None:
    TASKS.append(asyncio.create_task(watch(anyio.Condition()), name="watcher"))  # born:here
    for _ in range(4):
        await anyio.sleep(0)


async def test_neighbour() -> None:
    await anyio.sleep(0)
