"""Is the watch awake?  One thing of each kind is planted and must be seen.

A detector that sees nothing stays green for ever; so the session begins with leaks that it must
find, and is an error if it does not.
"""

from __future__ import annotations

from pytest_taskleak.engine.owner import Scope
from pytest_taskleak.engine.watch import Watch


def blind(watch: Watch) -> list[str]:
    """Return the kinds whose planted canary is not caught by a started watch."""
    missed: list[str] = []
    for kind, detector in list(watch.detectors.items()):
        if kind not in watch.policy.detect:
            continue
        scope = Scope("block", f"canary {kind}", watch=watch, parent=watch.session)
        watch.enter(scope)
        try:
            with detector.plant() as thing:
                seen = [item.thing for item in watch.live(scope, watch.policy)]
                if thing is not None and not any(x is thing for x in seen):
                    missed.append(kind)
        finally:
            watch.enter(watch.session)
    watch.tying = False  # what was planted is gone
    return missed
