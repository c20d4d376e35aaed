# expect: TL101 test_leaves what=forever born=here
# outcome: test_leaves xfailed
# why: xfail(strict, raises=TaskLeak) takes the leak as the expected failure of the call
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest

from pytest_taskleak import TaskLeak


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest.mark.xfail(strict=True, raises=TaskLeak)
async def test_leaves() -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
