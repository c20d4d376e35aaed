# expect: TL102 fixture:backend what=forever born=here on=test_last
# why: a session fixture holds an asyncio.Runner; its close cuts the fixture's own task off
# runner: sync Runner
import asyncio
from collections.abc import Iterator

import pytest


async def forever() -> None:
    await asyncio.sleep(3600)


async def start() -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


async def ping() -> str:
    await asyncio.sleep(0)
    return "pong"


@pytest.fixture(scope="session")
def backend() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        runner.run(start())
        yield runner


def test_first(backend: asyncio.Runner) -> None:
    assert backend.run(ping()) == "pong"


def test_last(backend: asyncio.Runner) -> None:
    assert backend.run(ping()) == "pong"
