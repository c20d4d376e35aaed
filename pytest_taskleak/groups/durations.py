"""Which durations are accepted?"""

from __future__ import annotations

import math


def seconds(value: object, name: str, call: str, *, zero: bool = False) -> float:
    """Return a duration in seconds, or say what is wrong with it.

    Parameters:
        value: what was given.
        name: the argument's name.
        call: the call that it was given to.
        zero: whether 0 is allowed.

    Raises:
        TypeError: it is no number; a `bool` is none.
        ValueError: it is nan, infinite, negative, or 0 where that is not allowed.
    """
    allowed = "seconds, 0 or more" if zero else "seconds above 0"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{call}: {name} must be {allowed} - got {value!r}")
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise ValueError(f"{call}: {name} must be {allowed} - got {value!r}")
    return float(value)


def count(value: object, name: str, call: str, least: int) -> int:
    """Return a whole number, or say what is wrong with it.

    Raises:
        TypeError: it is no whole number; a `bool` is none.
        ValueError: it is below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{call}: {name} must be a whole number, {least} or more - got {value!r}")
    if value < least:
        raise ValueError(f"{call}: {name} must be a whole number, {least} or more - got {value!r}")
    return value
