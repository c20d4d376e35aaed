# expect: clean
# why: waited for, or killed and reaped by the loop
# runner: uvloop
# needs: uvloop, posix
import asyncio

import uvloop


async def main() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "60")
    process.kill()
    await process.wait()
    shell = await asyncio.create_subprocess_shell("echo abc", stdout=asyncio.subprocess.PIPE)
    assert await shell.communicate() == (b"abc\n", None)


def test_waits() -> None:
    uvloop.run(main())


def test_neighbour() -> None:
    pass
