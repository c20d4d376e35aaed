# expect: TL201 test_leaves what=remind
# outcome: test_leaves failed
# why: the plain timer of an hour
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


def remind() -> None: ...


async def test_leaves() -> None:
    asyncio.get_running_loop().call_later(3600, remind)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
