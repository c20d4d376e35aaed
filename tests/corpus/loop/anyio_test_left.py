# expect: TL601 test_leaves[asyncio] born=here
# expect: TL601 test_leaves[trio] born=here
# why: the test makes a loop of its own, whatever runs the test
# runner: anyio
# needs: anyio, trio
# args: -p no:asyncio
import asyncio

import anyio
import pytest

pytestmark = pytest.mark.anyio
LOOPS: list[asyncio.AbstractEventLoop] = []


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


async def test_leaves() -> None:
    LOOPS.append(asyncio.new_event_loop())  # born:here
    await anyio.sleep(0)


async def test_neighbour() -> None:
    await anyio.sleep(0)
