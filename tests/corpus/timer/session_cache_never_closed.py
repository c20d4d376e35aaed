# expect: TL201 fixture:cache what=Cache.expire on=test_reads
# why: the leaking twin: the fixture that holds the handle never cancels it
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio

import pytest_asyncio


class Cache:
    def __init__(self) -> None:
        self.items: dict[str, asyncio.TimerHandle] = {}

    def put(self, key: str) -> None:
        self.items[key] = asyncio.get_running_loop().call_later(3600, self.expire, key)

    def expire(self, key: str) -> None:
        del self.items[key]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cache() -> Cache:
    return Cache()


async def test_puts(cache: Cache) -> None:
    cache.put("key")


async def test_reads(cache: Cache) -> None:
    assert "key" in cache.items
