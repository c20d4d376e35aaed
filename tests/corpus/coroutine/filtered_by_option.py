# expect: clean
# why: the session says that the warning is unwanted
# runner: sync
# args: -o filterwarnings=ignore:coroutine:RuntimeWarning
import asyncio


async def work() -> None:
    await asyncio.sleep(0)


def test_forgets() -> None:
    work()


def test_awaits() -> None:
    asyncio.run(work())
