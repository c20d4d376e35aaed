"""The lifespan of an ASGI app, as an async context manager."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from libraries.case import Case
from pytest_taskleak.storm.env import Env

asgi_lifespan: Any = importlib.import_module("asgi_lifespan")
OLD = {"cancel": "X"} if sys.version_info < (3, 12) else {}
"""Until 3.12 `asyncio.wait_for` swallows a cancellation that comes in the turn of its result."""


def raising(env: Env) -> Any:
    """An app whose start and end may raise."""
    connect, flush = env.dep("connect"), env.dep("flush")
    pool = env.resource("pool")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await connect()
        async with pool:
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await flush()
        await send({"type": "lifespan.shutdown.complete"})

    return asgi_lifespan.LifespanManager(app)


def telling(env: Env) -> Any:
    """An app that tells of a failure with a message, as the specification has it."""
    connect, flush = env.dep("connect"), env.dep("flush")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        try:
            await connect()
        except ConnectionError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await flush()
        except ConnectionError as error:
            await send({"type": "lifespan.shutdown.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})

    return asgi_lifespan.LifespanManager(app)


CASES = [
    Case("asgi-lifespan", "LifespanManager, an app that raises", raising, None, OLD),
    Case("asgi-lifespan", "LifespanManager, an app that tells", telling, None, {**OLD, "fault": "E"}),
]
