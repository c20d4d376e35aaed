"""How fast does something grow that was counted again and again?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from pytest_taskleak.storm.run import Outcome

LEAST = 0.05
"""The growth for each cycle from which on it is one: one of twenty cycles leaves something."""
WARM = 3
"""Cycles at the beginning that are not judged: caches fill, and imports are made."""


@dataclass(frozen=True, slots=True)
class Growth:
    """How many there were of one sort after each cycle.

    Parameters:
        sort: what was counted: in words, or the name of a type.
        counts: after each cycle.
        slope: more for each cycle: the median of the slopes between any two.
    """

    sort: str
    counts: tuple[int, ...]
    slope: float


@dataclass(frozen=True, slots=True)
class CycleReport:
    """What many cycles have shown.

    Parameters:
        cycles: how many were made.
        growths: what grows, the fastest first.
        outcome: all that is wrong.
    """

    cycles: int
    growths: tuple[Growth, ...]
    outcome: Outcome


def growing(samples: Sequence[Mapping[str, int]]) -> list[Growth]:
    """Return what grows, the fastest first.

    Parameters:
        samples: each one sort -> how many there were.
    """
    sorts = {sort for sample in samples for sort in sample}
    found = [growth_of(sort, [sample.get(sort, 0) for sample in samples]) for sort in sorts]
    return sorted((one for one in found if one.slope > LEAST), key=lambda one: (-one.slope, one.sort))


def growth_of(sort: str, counts: Sequence[int]) -> Growth:
    """Return how something grew; a single step, however high, is no growth."""
    judged = list(enumerate(counts))[WARM:] if len(counts) > WARM + 2 else list(enumerate(counts))
    slopes = [(b - a) / (j - i) for (i, a), (j, b) in combinations(judged, 2)]
    grows = bool(slopes) and counts[-1] > counts[len(counts) // 2]
    slope = median(slopes) if grows else 0.0
    return Growth(sort, tuple(counts), round(slope, 3))
