"""The load: clients that hand items in, each a task of its own that waits for its answer."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from intake import ITEMS, Closed

if TYPE_CHECKING:
    from intake import Service

    from pytest_taskleak.storm.env import Env

TOGETHER = 3
"""So many items arrive at one moment; the others come one by one."""
FEW = 4


async def load(service: Service, env: Env, items: int = ITEMS) -> None:
    for item in env.items(items):
        env.client(submitting(service, item), name=f"client-{item}")
        if item + 1 >= TOGETHER:
            await asyncio.sleep(0.002 + 0.004 * env.rng.random())


async def few(service: Service, env: Env) -> None:
    await load(service, env, FEW)


async def submitting(service: Service, item: int) -> None:
    with contextlib.suppress(Closed, ConnectionError):
        await service.submit(item)
