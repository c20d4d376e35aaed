# expect: TL631 test_leaves[asyncio] what=on_signal born=here
# expect: TL631 test_leaves[trio] what=on_signal born=here
# why: the handler outlives the test on both backends
# runner: anyio
# needs: anyio, trio, posix
# args: -p no:asyncio
import signal
from types import FrameType

import anyio
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


def on_signal(number: int, frame: FrameType | None) -> None:
    pass


async def test_leaves() -> None:
    signal.signal(signal.SIGTERM, on_signal)  # born:here
    await anyio.sleep(0)


async def test_neighbour() -> None:
    pass
