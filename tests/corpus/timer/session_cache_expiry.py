# expect: clean
# why: the test fills the session's cache, which holds the handle and cancels it at its end: adopted
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio


class Cache:
    def __init__(self) -> None:
        self.items: dict[str, asyncio.TimerHandle] = {}

    def put(self, key: str) -> None:
        self.items[key] = asyncio.get_running_loop().call_later(3600, self.expire, key)

    def expire(self, key: str) -> None:
        del self.items[key]

    def close(self) -> None:
        for handle in self.items.values():
            handle.cancel()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cache() -> AsyncIterator[Cache]:
    cache = Cache()
    yield cache
    cache.close()


async def test_puts(cache: Cache) -> None:
    cache.put("key")


async def test_reads(cache: Cache) -> None:
    assert "key" in cache.items
