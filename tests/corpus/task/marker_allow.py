# expect: TL101 test_other_leaks what=other born=other
# why: the marker allows one coroutine by name, and only that one
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest

pytestmark = pytest.mark.taskleak(allow="task:*forever")


async def forever() -> None:
    await asyncio.sleep(3600)


async def other() -> None:
    await asyncio.sleep(3600)


async def test_allowed() -> None:
    asyncio.create_task(forever())
    await asyncio.sleep(0)


async def test_other_leaks() -> None:
    asyncio.create_task(forever())
    asyncio.create_task(other())  # born:other
    await asyncio.sleep(0)
