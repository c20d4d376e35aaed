"""Which detectors look at which births, and whose births must be seen?"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pytest_taskleak.detectors.base import Detector


def needed(detectors: Iterable[Detector], kinds: Collection[str]) -> list[Detector]:
    """Return the detectors whose births must be seen to judge some kinds."""
    every = list(detectors)
    sources = {d.source for d in every if d.kind in kinds}
    return [d for d in every if d.carries or d.kind in kinds or d.kind in sources]


def readers(detectors: Iterable[Detector]) -> dict[str, list[Detector]]:
    """Return kind of birth -> the detectors that look at such births."""
    found: dict[str, list[Detector]] = {}
    for detector in detectors:
        found.setdefault(detector.source or detector.kind, []).append(detector)
    return found
