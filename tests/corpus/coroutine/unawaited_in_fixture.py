# expect: TL711 fixture:service what=work born=setup on=test_uses
# expect: TL711 fixture:later what=work born=teardown on=test_uses_later
# expect: TL711 fixture:wide what=work born=wide on=test_uses_wide
# why: the fixture forgets the await, in its setup or in its teardown
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio


async def work() -> None:
    await asyncio.sleep(0)


@pytest_asyncio.fixture
async def service() -> AsyncIterator[None]:
    work()  # born:setup
    yield


@pytest.fixture
def later() -> Iterator[None]:
    yield
    work()  # born:teardown


@pytest.fixture(scope="module")
def wide() -> Iterator[None]:
    work()  # born:wide
    yield


async def test_uses(service: None) -> None:
    await work()


def test_uses_later(later: None) -> None:
    pass


def test_uses_wide(wide: None) -> None:
    pass
