# expect: TL101 test_leaves what=forever born=here
# why: the Runner is the module fixture's, the task is the test's and must be told at the test's end
# runner: sync Runner
import asyncio
from collections.abc import Iterator

import pytest


async def forever() -> None:
    await asyncio.sleep(3600)


async def leak() -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


async def ping() -> str:
    await asyncio.sleep(0)
    return "pong"


@pytest.fixture(scope="module")
def backend() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def test_leaves(backend: asyncio.Runner) -> None:
    backend.run(leak())


def test_neighbour(backend: asyncio.Runner) -> None:
    assert backend.run(ping()) == "pong"
