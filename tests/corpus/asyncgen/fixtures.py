# expect: clean
# why: async generator fixtures are closed by their finalizers, at every scope
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio


@pytest_asyncio.fixture
async def of_function() -> AsyncIterator[int]:
    await asyncio.sleep(0)
    yield 1
    await asyncio.sleep(0)


@pytest_asyncio.fixture(scope="class", loop_scope="class")
async def of_class() -> AsyncIterator[int]:
    await asyncio.sleep(0)
    yield 2
    await asyncio.sleep(0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def of_module() -> AsyncIterator[int]:
    await asyncio.sleep(0)
    yield 3
    await asyncio.sleep(0)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def of_session() -> AsyncIterator[int]:
    await asyncio.sleep(0)
    yield 4
    await asyncio.sleep(0)


async def test_function(of_function: int) -> None:
    assert of_function == 1


class TestClass:
    @pytest.mark.asyncio(loop_scope="class")
    async def test_first(self, of_class: int) -> None:
        assert of_class == 2

    @pytest.mark.asyncio(loop_scope="class")
    async def test_second(self, of_class: int) -> None:
        assert of_class == 2


@pytest.mark.asyncio(loop_scope="module")
async def test_module(of_module: int) -> None:
    assert of_module == 3


@pytest.mark.asyncio(loop_scope="session")
async def test_session(of_session: int) -> None:
    assert of_session == 4


def test_sync(of_session: int, of_module: int, of_function: int) -> None:
    assert of_session + of_module + of_function == 8


@pytest.mark.asyncio(loop_scope="session")
async def test_session_again(of_session: int, request: pytest.FixtureRequest) -> None:
    assert of_session == 4
