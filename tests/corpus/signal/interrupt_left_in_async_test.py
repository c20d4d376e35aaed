# expect: TL631 test_leaves what=signal.SIG_IGN born=here
# why: asyncio does not put back what the test has replaced; Control-C would be dead from here on
# runner: pytest-asyncio function
# needs: pytest-asyncio, posix
# args: -o asyncio_mode=auto
import asyncio
import signal


async def test_leaves() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # born:here
    await asyncio.sleep(0)


def test_neighbour() -> None:
    pass
