# expect: TL101 test_mode[keep] what=forever born=here
# why: only one parameter leaks; the ids must tell which
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import contextlib

import pytest


async def forever() -> None:
    await asyncio.sleep(3600)


@pytest.mark.parametrize("mode", ["stop", "keep", "again"])
async def test_mode(mode: str) -> None:
    task = asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)
    if mode != "keep":
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
