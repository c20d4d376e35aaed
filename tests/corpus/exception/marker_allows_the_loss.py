# expect: clean
# why: the test says what it loses, whether it is kept or dropped, by kind, name or code
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest

KEPT: list[asyncio.Task[None]] = []


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


@pytest.mark.taskleak(allow="exception:boom")
async def test_kept() -> None:
    KEPT.append(asyncio.create_task(boom()))
    await turns()


@pytest.mark.taskleak(allow="TL701")
async def test_dropped() -> None:
    asyncio.create_task(boom())
    await turns()


@pytest.mark.taskleak(expect="exception:*")
async def test_expected() -> None:
    asyncio.create_task(boom())
    await turns()


@pytest.mark.no_taskleak(reason="loses on purpose")
async def test_off() -> None:
    asyncio.create_task(boom())
    await turns()
