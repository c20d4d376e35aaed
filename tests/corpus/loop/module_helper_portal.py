import asyncio
from collections.abc import Callable
from typing import Any

_loop: asyncio.AbstractEventLoop | None = None


async def _run(function: Callable[[], Any]) -> Any:
    return function()


def call(function: Callable[[], Any]) -> Any:
    global _loop
    if _loop is None:
        _loop = asyncio.new_event_loop()
    return _loop.run_until_complete(_run(function))
