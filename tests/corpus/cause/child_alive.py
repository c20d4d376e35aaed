# expect: TL101 test_waits what=wait_for_end born=here cause=child-alive finality=outside
# waits: *rocess*
# why: the child reads its standard input, which nobody closes
# runner: pytest-asyncio function
# needs: pytest-asyncio, posix
# args: -o asyncio_mode=auto --taskleak-detect=task
import asyncio
import subprocess
import sys

CHILDREN: list[asyncio.subprocess.Process] = []


async def wait_for_end(child: asyncio.subprocess.Process) -> int:
    return await child.wait()


async def test_waits() -> None:
    command = (sys.executable, "-c", "input()")
    child = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE)
    CHILDREN.append(child)
    asyncio.create_task(wait_for_end(child), name="waiter")  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
