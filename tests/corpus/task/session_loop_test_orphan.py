# expect: TL101 test_leaves what=forever born=here
# why: a task that a test starts on the session loop is the test's
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


async def test_leaves() -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)


async def test_last() -> None:
    await asyncio.sleep(0)
