# expect: TL101|TL102 test_request what=refresh born=here cause=abandoned finality=outside
# waits: *sleep*
# why: a bare task beside anyio's task groups; nobody knows it
# runner: anyio
# needs: anyio
import asyncio

import anyio
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def refresh() -> None:
    await anyio.sleep(30)


async def test_request() -> None:
    asyncio.create_task(refresh())  # born:here
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 0)


async def test_neighbour() -> None:
    await anyio.sleep(0)
