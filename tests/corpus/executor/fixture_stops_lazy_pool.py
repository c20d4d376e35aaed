# expect: clean
# why: the function fixture's service makes its pool in the test and ends it in the teardown
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest


class Service:
    pool: ThreadPoolExecutor | None = None

    async def call(self, text: str) -> int:
        if self.pool is None:
            self.pool = ThreadPoolExecutor(1)
        return await asyncio.get_running_loop().run_in_executor(self.pool, len, text)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    yield service
    if service.pool is not None:
        service.pool.shutdown(wait=False)


async def test_calls(service: Service) -> None:
    assert await service.call("abc") == 3


async def test_does_not(service: Service) -> None:
    assert service.pool is None
