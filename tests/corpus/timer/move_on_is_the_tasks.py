# expect: TL101|TL102 test_leaves what=wait_for_reply born=here
# why: the timer of an anyio cancel scope is told with its host task
# runner: anyio
# needs: anyio
import asyncio

import anyio
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def wait_for_reply() -> None:
    with anyio.move_on_after(3600):
        await anyio.sleep_forever()


async def test_leaves() -> None:
    asyncio.create_task(wait_for_reply())  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
