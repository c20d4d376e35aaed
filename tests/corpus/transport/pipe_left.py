# expect: TL511 test_pipe what=Reader born=here
# why: nobody closes the transport over the pipe, and its other end is open
# runner: pytest-asyncio function
# needs: pytest-asyncio, posix
# args: -o asyncio_mode=auto
import asyncio
import os


class Reader(asyncio.Protocol):
    pass


async def test_pipe() -> None:
    loop = asyncio.get_running_loop()
    out, into = os.pipe()
    transport, _ = await loop.connect_read_pipe(Reader, os.fdopen(out, "rb"))  # born:here
    assert not transport.is_closing()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
