# expect: TL711 test_statement
# expect: TL711 test_code_under_test
# why: a call of an AsyncMock is a coroutine too, and synchronous code drops it
# runner: sync
import asyncio
from unittest.mock import AsyncMock


def save(store: AsyncMock) -> None:
    store.save(1)


def test_statement() -> None:
    AsyncMock()()


def test_code_under_test() -> None:
    save(AsyncMock())


def test_awaits() -> None:
    async def main(store: AsyncMock) -> None:
        await store.save(1)

    asyncio.run(main(AsyncMock()))
