# expect: TL201|TL202 test_second what=remind
# why: the loop is shared by the module; the second test's timer is its own
# runner: anyio
# needs: anyio
import asyncio

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def resource() -> str:
    return "resource"


def remind() -> None: ...


async def test_first(resource: str) -> None:
    assert resource


async def test_second(resource: str) -> None:
    asyncio.get_running_loop().call_later(3600, remind)


async def test_third(resource: str) -> None:
    assert resource
