"""Calls with a limit of how many run at once."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from libraries.case import Case
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.plan import Limits

aiometer: Any = importlib.import_module("aiometer")
SHORT = Limits(linger=0.02)


async def at_once(env: Env) -> None:
    """Do everything, and go on."""
    db = env.dep("db")
    while True:
        await aiometer.run_all([functools.partial(db, item) for item in range(4)], max_at_once=2)


async def streamed(env: Env) -> None:
    """Take results as they come."""
    db = env.dep("db", result=lambda item: item)
    while True:
        async with aiometer.amap(db, range(4), max_at_once=2) as results:
            async for result in results:
                await db(result)


CASES = [
    Case("aiometer", "run_all", at_once, None, limits=SHORT),
    Case("aiometer", "amap", streamed, None, limits=SHORT),
]
