"""What is a time on a fake clock, so that differences are exact?

A binary fraction is as near to 0.1 as it can be, so 1310.1 - 1310.0 is 0.09999999999990905.  Two times of a
fake clock are subtracted as people do it: the difference is rounded to a nanosecond, or to what a float of
that size can tell apart.
"""

from __future__ import annotations

import math
from typing import Any, SupportsIndex

from pytest_taskleak.adapt import stepping

NANOSECOND = 9
COARSE = stepping.COARSE


_SCALE = 1e9
_ROUNDING = 1.5 * 2.0**52
"""What rounds a smaller float to a whole number, when added and taken off again."""


class Moment(float):
    """Seconds on a loop's clock; a float but for `-`, whose result is rounded to a nanosecond."""

    __slots__ = ()

    def __sub__(self, other: float, _minus: Any = float.__sub__) -> float:
        plain = _minus(self, other)
        if type(plain) is float and -COARSE < plain < COARSE and self < COARSE:
            return (plain * _SCALE + _ROUNDING - _ROUNDING) / _SCALE
        return exact(plain, self)

    def __rsub__(self, other: float, _minus: Any = float.__rsub__) -> float:
        plain = _minus(self, other)
        if type(plain) is float and -COARSE < plain < COARSE and self < COARSE:
            return (plain * _SCALE + _ROUNDING - _ROUNDING) / _SCALE
        return exact(plain, self)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[type[float], tuple[float]]:
        return float, (float(self),)  # elsewhere it is a plain number


def exact(difference: float, size: float) -> float:
    """Return a difference of times of some size, without the error of their representation."""
    if difference is NotImplemented or not math.isfinite(difference):
        return difference
    return round(difference, digits(size))


def digits(size: float) -> int:
    """Return to how many digits behind the point times of some size are told apart, with some to spare."""
    if -COARSE < size < COARSE:
        return NANOSECOND
    return max(0, math.floor(-math.log10(8 * math.ulp(size))))


def grain(size: float) -> float:
    """Return the least difference between times of some size that is not rounded away."""
    return float(10.0 ** -digits(size))
