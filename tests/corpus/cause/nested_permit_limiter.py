# expect: TL101|TL102 test_requests what=request born=one cause=nested-permit finality=stuck
# waits: *CapacityLimiter*
# expect: TL101|TL102 test_requests what=request born=two cause=nested-permit finality=stuck
# waits: *CapacityLimiter*
# edge: task 'one' -> anyio.CapacityLimiter* [waits for]
# edge: anyio.CapacityLimiter* -> task 'one' [held by]
# edge: anyio.CapacityLimiter* -> task 'two' [held by]
# why: both tokens are borrowed by tasks that want one more, on behalf of something else
# runner: anyio
# needs: anyio
import asyncio

import anyio
import pytest

pytestmark = pytest.mark.anyio
TASKS: set[asyncio.Task[None]] = set()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def request(limiter: anyio.CapacityLimiter, name: str) -> None:
    async with limiter:
        await anyio.sleep(0)
        await limiter.acquire_on_behalf_of(name)


async def test_requests() -> None:
    limiter = anyio.CapacityLimiter(2)
    TASKS.add(asyncio.create_task(request(limiter, "first"), name="one"))  # born:one
    TASKS.add(asyncio.create_task(request(limiter, "second"), name="two"))  # born:two
    for _ in range(6):
        await anyio.sleep(0)
    assert limiter.available_tokens == 0


async def test_neighbour() -> None:
    await anyio.sleep(0)
