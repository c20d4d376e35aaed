# expect: clean
# why: it re-arms itself, but only twice more, a few ms in all
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


def tick(left: int) -> None:
    if left:
        asyncio.get_running_loop().call_later(0.002, tick, left - 1)


async def test_ticks() -> None:
    tick(3)
