# expect: clean
# why: terminated and waited for, or ended and read to the end
# runner: pytest-asyncio function
# needs: pytest-asyncio, posix
# args: -o asyncio_mode=auto
import asyncio


async def test_terminated() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "60")
    process.terminate()
    await process.wait()


async def test_communicates() -> None:
    process = await asyncio.create_subprocess_exec("echo", "abc", stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert out == b"abc\n"


async def test_neighbour() -> None:
    await asyncio.sleep(0)
