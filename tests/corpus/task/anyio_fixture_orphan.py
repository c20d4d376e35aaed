# expect: TL101|TL102 fixture:resource what=forever born=here on=test_second
# why: a module fixture of the anyio plugin leaves a bare task
# runner: anyio
# needs: anyio
import asyncio
from collections.abc import AsyncIterator

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest.fixture(scope="module")
async def resource() -> AsyncIterator[str]:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)
    yield "resource"


async def test_first(resource: str) -> None:
    assert resource


async def test_second(resource: str) -> None:
    assert resource
