# expect: TL101|TL102 test_second what=forever born=here
# why: one runner task runs all tests of the module; the second test must not be taken for the first
# runner: anyio
# needs: anyio
import asyncio
from collections.abc import AsyncIterator

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def resource() -> AsyncIterator[str]:
    await asyncio.sleep(0)
    yield "resource"


async def forever() -> None:
    await asyncio.sleep(3600)


async def test_first(resource: str) -> None:
    assert resource


async def test_second(resource: str) -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


async def test_third(resource: str) -> None:
    assert resource
