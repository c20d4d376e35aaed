# expect: TL101 test_leaves what=forever born=here
# why: the loop lives until the module's end, the test's task must not
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def forever() -> None:
    await asyncio.sleep(3600)


async def test_before() -> None:
    await asyncio.sleep(0)


async def test_leaves() -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
