# expect: clean
# why: the session service re-arms its poll during every test and stops it in its teardown
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio


class Service:
    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.polled = asyncio.Event()
        self.poll()

    def poll(self) -> None:
        self.polled.set()
        self.handle = self.loop.call_later(0.002, self.poll)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def service() -> AsyncIterator[Service]:
    service = Service()
    yield service
    service.handle.cancel()


async def test_one(service: Service) -> None:
    service.polled.clear()
    await service.polled.wait()


async def test_two() -> None:
    await asyncio.sleep(0)
