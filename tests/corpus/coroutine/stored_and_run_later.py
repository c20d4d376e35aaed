# expect: clean
# why: kept in a module, an object and a list, and run by a later test
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
from collections.abc import Coroutine

KEPT: list[Coroutine[None, None, None]] = []


async def work() -> None:
    await asyncio.sleep(0)


class Place:
    job: Coroutine[None, None, None]


async def test_stores() -> None:
    KEPT.append(work())
    Place.job = work()


async def test_runs() -> None:
    await KEPT.pop()
    await Place.job
    del Place.job
