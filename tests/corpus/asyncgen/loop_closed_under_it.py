# expect: TL611 test_leaves what=numbers born=here
# why: the loop by hand is closed without shutdown_asyncgens(): nobody will ever close the generator
# runner: sync own loop
import asyncio
from collections.abc import AsyncIterator

KEPT: list[AsyncIterator[int]] = []


async def numbers() -> AsyncIterator[int]:
    for number in range(10):
        await asyncio.sleep(0)
        yield number


async def begin() -> None:
    KEPT.append(numbers())
    await anext(KEPT[-1])  # born:here


def test_leaves() -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    loop.close()


def test_shuts_down() -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
