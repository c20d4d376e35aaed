# expect: TL101 test_first what=forever born=here
# expect: TL101 test_second what=forever born=here
# why: each test is told its own leak though both come from one line of a helper, on one loop
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


def start() -> None:
    asyncio.create_task(forever())  # born:here


async def test_first() -> None:
    start()


async def test_between() -> None:
    await asyncio.sleep(0)


async def test_second() -> None:
    start()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
