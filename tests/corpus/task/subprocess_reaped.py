# expect: clean
# why: asyncio's child watcher may start a thread or task of its own; the process is awaited
# runner: pytest-asyncio function
# needs: pytest-asyncio, posix
# args: -o asyncio_mode=auto
import asyncio
import sys


async def test_process() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "pass")
    assert await process.wait() == 0


async def test_neighbour() -> None:
    await asyncio.sleep(0)
