# expect: clean
# why: rules by the task's name, on a class and on its method: both count
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest.mark.taskleak(allow="task:name=metrics-*")
class TestService:
    @pytest.mark.taskleak(allow="task:coroutine=*forever")
    async def test_both(self) -> None:
        asyncio.create_task(asyncio.sleep(3600), name="metrics-1")
        asyncio.create_task(forever())
        await asyncio.sleep(0)

    async def test_one(self) -> None:
        asyncio.create_task(asyncio.sleep(3600), name="metrics-2")
        await asyncio.sleep(0)
