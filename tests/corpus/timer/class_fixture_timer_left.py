# expect: TL201 fixture:session what=expire on=TestSession::test_last
# why: a class-scoped fixture on the loop of its class
# runner: pytest-asyncio class
# needs: pytest-asyncio
import asyncio

import pytest
import pytest_asyncio


def expire() -> None: ...


@pytest_asyncio.fixture(scope="class", loop_scope="class")
async def session() -> str:
    asyncio.get_running_loop().call_later(3600, expire)
    return "session"


@pytest.mark.asyncio(loop_scope="class")
class TestSession:
    async def test_first(self, session: str) -> None:
        assert session

    async def test_last(self, session: str) -> None:
        assert session


def test_neighbour() -> None:
    pass
