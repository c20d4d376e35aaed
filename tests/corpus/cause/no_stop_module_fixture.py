# expect: TL101 fixture:heart what=beat born=here on=test_last cause=no-stop finality=outside
# waits: *sleep*
# why: the module's fixture starts its worker and has no teardown
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def beat(beats: list[float]) -> None:
    while True:
        beats.append(asyncio.get_running_loop().time())
        await asyncio.sleep(30)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heart() -> AsyncIterator[list[float]]:
    beats: list[float] = []
    asyncio.create_task(beat(beats))  # born:here
    await asyncio.sleep(0)
    yield beats


async def test_first(heart: list[float]) -> None:
    assert len(heart) == 1


async def test_last(heart: list[float]) -> None:
    assert len(heart) == 1
