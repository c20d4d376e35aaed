# expect: TL201 test_leaves what=remind
# why: the loop lives on after the test, the timer must not
# runner: pytest-asyncio session
# needs: pytest-asyncio
import asyncio

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")


def remind() -> None: ...


async def test_before() -> None:
    await asyncio.sleep(0)


async def test_leaves() -> None:
    asyncio.get_running_loop().call_later(3600, remind)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
