"""When does the garbage collector run for us?  On suspicion, and once at the end of a session.

A full collection costs tens of milliseconds on a large heap, so a clean test never pays for one.
"""

from __future__ import annotations

import gc
from typing import Any

from pytest_taskleak.engine.settle import Live, settle


def collect(watch: Any, live: Live) -> None:
    """Run the collector if that could end what is left, and let it be finished."""
    if any(item.detector.collectable for item in live()):
        clean(watch)
        settle(live, watch.budget)


def clean(watch: Any) -> None:
    """Run the collector without letting it destroy what is somebody's leak."""
    held = pending(watch)
    gc.collect()
    held.clear()


def gather(watch: Any) -> None:
    """Let the collector give up what it still knows, once, at the end of a session."""
    for opened in watch.openers:
        opened()
    gc.collect()
    watch.charge()


def pending(watch: Any) -> list[Any]:
    """Return what lives of every open scope and cannot be ended by the collector rightly."""
    kinds = [d.kind for d in watch.detectors.values() if not d.collectable]
    found = []
    for scope in watch.scopes():
        for kind in kinds:
            things = [thing for entry in tuple(scope.births.get(kind, ())) if (thing := entry()) is not None]
            found += [x for x in things if any(d.alive(x) for d in watch.readers.get(kind, ()))]
    return found
