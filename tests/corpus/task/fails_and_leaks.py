# expect: TL101 test_fails what=forever born=here severity=note
# outcome: test_fails failed
# why: the test's own failure stays first; the leftover is only a note under it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


async def test_fails() -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)
    raise AssertionError("the own failure")


async def test_neighbour() -> None:
    await asyncio.sleep(0)
