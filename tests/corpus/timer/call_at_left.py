# expect: TL201 test_leaves what=Cache.expire
# why: call_at with a bound method, set by the code under test
# runner: pytest-asyncio function
# needs: pytest-asyncio
import asyncio

import pytest


class Cache:
    def __init__(self) -> None:
        self.items: dict[str, int] = {}

    def put(self, key: str, value: int) -> None:
        self.items[key] = value
        loop = asyncio.get_running_loop()
        loop.call_at(loop.time() + 3600, self.expire, key)

    def expire(self, key: str) -> None:
        del self.items[key]


@pytest.mark.asyncio
async def test_leaves() -> None:
    Cache().put("key", 1)


@pytest.mark.asyncio
async def test_neighbour() -> None:
    await asyncio.sleep(0)
