"""Can what the kit was called with be tried?"""

from __future__ import annotations

import math
from typing import Any

from pytest_taskleak.adapt import asyncio_


def checked_callable(check: str, word: str, value: object) -> None:
    """Say of an argument that it cannot be called."""
    if not callable(value):
        raise TypeError(f"{check}: {word} must be callable - got {value!r}")


def checked_deadline(check: str, value: Any) -> float:
    """Return seconds, or say that they are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{check}: deadline must be seconds, more than 0 - got {value!r}")
    if not 0 < value < math.inf:
        raise ValueError(f"{check}: deadline must be seconds, more than 0 - got {value!r}")
    return float(value)


def no_loop(check: str) -> None:
    """Say that a loop is running where none may."""
    if asyncio_.running_loop() is not None:
        raise RuntimeError(f"{check}: a loop is running here; call it from a plain function")
