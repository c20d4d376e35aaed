# expect: clean
# why: anyio's worker threads stay idle until the root task of the shared runner ends
# runner: anyio
# needs: anyio
import anyio
import anyio.to_thread
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def resource() -> str:
    return "resource"


async def test_one(resource: str) -> None:
    assert await anyio.to_thread.run_sync(len, "abc") == 3


async def test_two(resource: str) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(anyio.to_thread.run_sync, len, "abc")


async def test_three(resource: str) -> None:
    await anyio.sleep(0)
