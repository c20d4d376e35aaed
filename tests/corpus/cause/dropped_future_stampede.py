# expect: TL101 test_loads what=Cache.get born=first cause=dropped-future finality=stuck
# waits: *Future*
# expect: TL101 test_loads what=Cache.get born=second cause=dropped-future finality=stuck
# waits: *Future*
# edge: task 'first' -> asyncio.Future* [waits for]
# edge: task 'second' -> asyncio.Future* [waits for]
# no-cycle:
# why: the one that loaded for all was cancelled and left the others with a future that nobody resolves
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest

TASKS: list[asyncio.Task[int]] = []


class Cache:
    def __init__(self) -> None:
        self.loading: dict[str, asyncio.Future[int]] = {}

    async def get(self, key: str) -> int:
        if key in self.loading:
            return await self.loading[key]
        self.loading[key] = asyncio.get_running_loop().create_future()
        await asyncio.sleep(3600)
        self.loading[key].set_result(1)
        return 1


async def test_loads() -> None:
    cache = Cache()
    leader = asyncio.create_task(cache.get("user"), name="leader")
    await asyncio.sleep(0)
    TASKS.append(asyncio.create_task(cache.get("user"), name="first"))  # born:first
    TASKS.append(asyncio.create_task(cache.get("user"), name="second"))  # born:second
    await asyncio.sleep(0)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader


async def test_neighbour() -> None:
    await asyncio.sleep(0)
