# expect: clean
# why: the argument raises, so the coroutine is never made; or the call is refused
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest


async def work(value: int) -> None:
    await asyncio.sleep(value)


async def test_argument() -> None:
    with pytest.raises(ValueError, match="invalid"):
        await work(int("x"))


async def test_refused() -> None:
    with pytest.raises(TypeError):
        await work()  # type: ignore[call-arg]
