# expect: TL701 test_kept what=boom born=kept
# expect: TL701 test_dropped what=boom born=dropped
# why: an eager task has ended before create_task returns, and has given up its coroutine
# runner: pytest-asyncio function
# needs: pytest-asyncio, python>=3.12
# args: -o asyncio_mode=auto
import asyncio

import pytest

KEPT: list[asyncio.Task[None]] = []


async def boom() -> None:
    raise ValueError("boom")


@pytest.fixture(autouse=True)
async def eager() -> None:
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)


async def test_kept() -> None:
    KEPT.append(asyncio.create_task(boom()))  # born:kept


async def test_dropped() -> None:
    asyncio.create_task(boom())  # born:dropped


async def test_awaited() -> None:
    with pytest.raises(ValueError, match="boom"):
        await asyncio.create_task(boom())
