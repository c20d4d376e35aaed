# expect: TL201 test_refreshes what=Cache.refresh cause=timer-rearms finality=outside
# why: one minute from beat to beat, so that it is seen only once
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Cache:
    def __init__(self) -> None:
        self.refreshed = 0

    def refresh(self) -> None:
        self.refreshed += 1
        self.timer = asyncio.get_running_loop().call_later(60, self.refresh)

    def close(self) -> None:
        self.timer.cancel()


async def test_refreshes() -> None:
    cache = Cache()
    cache.refresh()
    assert cache.refreshed == 1


async def test_neighbour() -> None:
    await asyncio.sleep(0)
