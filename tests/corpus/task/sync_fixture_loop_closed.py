# expect: TL103 fixture:connection what=forever born=here on=test_uses
# why: a sync fixture with a loop of its own closes it under its task
# runner: sync own loop
import asyncio
from collections.abc import Iterator

import pytest


async def forever() -> None:
    await asyncio.sleep(3600)


async def connect() -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


@pytest.fixture
def connection() -> Iterator[str]:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(connect())
    yield "connection"
    loop.close()


def test_uses(connection: str) -> None:
    assert connection


def test_neighbour() -> None:
    pass
