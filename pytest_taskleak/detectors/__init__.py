"""Which kinds of resource are watched?  One file a kind; each module exports one `detector`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache

from pytest_taskleak.detectors.base import Detector
from pytest_taskleak.model import Code


@cache
def built_in() -> tuple[Detector, ...]:
    """Return the built-in detectors, found by walking this folder."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if module.name != "base"]
    found: list[Detector] = [importlib.import_module(f"{__name__}.{name}").detector for name in names]
    return tuple(sorted(found, key=lambda d: (d.rank, d.kind)))


def codes_of(detectors: Iterable[Detector]) -> dict[str, Code]:
    """Return the message codes of some detectors, each with its page."""
    return {name: code for detector in detectors for name, code in detector.codes.items()}
