# expect: clean
# why: the test says so, by name, code, or by switching the watch off
# runner: sync
import asyncio

import pytest


async def work() -> None:
    await asyncio.sleep(0)


@pytest.mark.taskleak(allow="coroutine:work")
def test_name() -> None:
    work()


@pytest.mark.taskleak(allow="TL711")
def test_code() -> None:
    work()


@pytest.mark.taskleak(detect="-coroutine")
def test_kind() -> None:
    work()


@pytest.mark.no_taskleak(reason="forgets on purpose")
def test_off() -> None:
    work()


def test_awaits() -> None:
    asyncio.run(work())
