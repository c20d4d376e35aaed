# expect: TL611|TL612 fixture:cursor what=Cursor.fetch born=here on=test_second
# why: the session's cursor begins its generator inside a test, and nobody closes it
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Cursor:
    def __init__(self) -> None:
        self.rows: AsyncIterator[int] | None = None

    async def fetch(self) -> AsyncIterator[int]:
        for number in range(10):
            await asyncio.sleep(0)
            yield number

    async def next(self) -> int:
        if self.rows is None:
            self.rows = self.fetch()
        return await anext(self.rows)  # born:here


CURSORS: list[Cursor] = []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cursor() -> AsyncIterator[Cursor]:
    CURSORS.append(Cursor())
    yield CURSORS[0]


async def test_first(cursor: Cursor) -> None:
    assert await cursor.next() == 0


async def test_second(cursor: Cursor) -> None:
    assert await cursor.next() == 1
