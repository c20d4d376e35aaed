# expect: TL201 test_leaves what=remind severity=warn
# outcome: test_leaves passed
# why: the severity of the whole kind is set to warn
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto --taskleak-severity=timer=warn
import asyncio


def remind() -> None: ...


async def test_leaves() -> None:
    asyncio.get_running_loop().call_later(3600, remind)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
