# expect: clean
# why: a task of 5 ms ends by itself within the grace
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

BACKGROUND: set[asyncio.Task[None]] = set()


async def log_line() -> None:
    await asyncio.sleep(0.005)


async def test_logs() -> None:
    task = asyncio.create_task(log_line())
    BACKGROUND.add(task)
    task.add_done_callback(BACKGROUND.discard)
