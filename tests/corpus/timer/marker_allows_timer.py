# expect: clean
# why: a rule of the marker by the callback's name
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

import pytest


def remind() -> None: ...


@pytest.mark.taskleak(allow="timer:remind", reason="an hour is fine")
async def test_leaves() -> None:
    asyncio.get_running_loop().call_later(3600, remind)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
