"""How is a task kept from ever being destroyed?

A coroutine that swallows everything spins for ever when it is closed; the collector closes what it destroys.
"""

from __future__ import annotations

import ctypes
from typing import Any

from pytest_taskleak.adapt import asyncio_

_kept: list[Any] = []


def immortal(task: Any) -> None:
    """Give a task one reference more than there are owners; asyncio does not complain of it.

    Parameters:
        task: one that goes on however often it is cancelled. To be called once for each.
    """
    asyncio_.lost_sight(task)
    try:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(task))
    except (AttributeError, ValueError):  # no C API to call on this interpreter
        _kept.append(task)
