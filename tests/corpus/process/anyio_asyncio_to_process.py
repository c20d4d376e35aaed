# expect: clean
# why: anyio keeps its idle worker process until the loop ends
# runner: anyio asyncio
# needs: anyio, posix
import anyio
import anyio.to_process
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def resource() -> str:
    return "resource"


async def test_works(resource: str) -> None:
    assert await anyio.to_process.run_sync(len, "abc") == 3


async def test_neighbour(resource: str) -> None:
    await anyio.sleep(0)
