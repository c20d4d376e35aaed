"""Which kinds of resource are watched?  One file a kind; each module exports one `detector`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from pytest_taskleak.detectors.base import Detector

ORDER = ("task", "timer", "thread", "executor")
"""The order in which built-in kinds are told; further ones follow by name."""


@cache
def built_in() -> tuple[Detector, ...]:
    """Return the built-in detectors, found by walking this folder."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if module.name != "base"]
    found: list[Detector] = [importlib.import_module(f"{__name__}.{name}").detector for name in names]
    ranks = {kind: rank for rank, kind in enumerate(ORDER)}
    return tuple(sorted(found, key=lambda d: (ranks.get(d.kind, len(ranks)), d.kind)))
