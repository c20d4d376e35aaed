# expect: TL611 test_leaves what=connection born=here
# why: an async context manager entered by hand and never left is a suspended generator
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import contextlib
from collections.abc import AsyncIterator

KEPT: list[contextlib.AbstractAsyncContextManager[str]] = []


@contextlib.asynccontextmanager
async def connection() -> AsyncIterator[str]:
    await asyncio.sleep(0)
    yield "open"
    await asyncio.sleep(0)


async def test_leaves() -> None:
    manager = connection()
    KEPT.append(manager)
    assert await manager.__aenter__() == "open"  # born:here


async def test_neighbour() -> None:
    async with contextlib.AsyncExitStack() as stack:
        assert await stack.enter_async_context(connection()) == "open"
