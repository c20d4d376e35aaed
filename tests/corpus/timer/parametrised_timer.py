# expect: TL201 test_reconnect[2] what=reconnect
# why: one of three parameters leaves its timer
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest


def reconnect() -> None: ...


@pytest.mark.parametrize("attempt", [1, 2, 3])
async def test_reconnect(attempt: int) -> None:
    handle = asyncio.get_running_loop().call_later(3600, reconnect)
    if attempt != 2:
        handle.cancel()
