# expect: TL401 test_leaves what=sleep
# why: open_process without its context manager
# runner: anyio asyncio
# needs: anyio, posix
import anyio
import pytest

pytestmark = pytest.mark.anyio
KEPT: list[object] = []


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_leaves() -> None:
    KEPT.append(await anyio.open_process(["sleep", "60"]))  # born:made


async def test_neighbour() -> None:
    await anyio.sleep(0)
