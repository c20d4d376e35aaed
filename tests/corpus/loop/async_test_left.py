# expect: TL601 test_leaves born=here
# why: an async test makes another loop, for a thread that it never starts
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

LOOPS: list[asyncio.AbstractEventLoop] = []


async def test_leaves() -> None:
    LOOPS.append(asyncio.new_event_loop())  # born:here
    await asyncio.sleep(0)


async def test_closes() -> None:
    asyncio.new_event_loop().close()
    await asyncio.sleep(0)
