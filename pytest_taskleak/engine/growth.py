"""What has grown between the beginning and the end of a module, by kinds that are measured?

Measured kinds record no births: what they count is compared when the next module begins, and at the
end of the session.  Where a wider fixture was set up meanwhile, growth may be its own; it is then
looked at again when the session ends.
"""

from __future__ import annotations

from typing import Any

from pytest_taskleak.detectors.base import Detector
from pytest_taskleak.engine.collecting import clean
from pytest_taskleak.engine.explaining import told
from pytest_taskleak.engine.owner import Scope
from pytest_taskleak.model import Finding


class Growth:
    """Compares the measured kinds of a watch.

    Parameters:
        watch: the session of watching.
    """

    def __init__(self, watch: Any) -> None:
        self.watch = watch
        wanted = watch.policy.detect if watch.policy.mode != "off" else ()  # a marker asks for its test only
        self.measures = [d for d in watch.detectors.values() if d.measured and d.kind in wanted]
        self.before: dict[str, Any] = {}
        self.first: dict[str, Any] = {}
        self.scope: Scope | None = None
        self.postponed = False

    def enter(self, name: str) -> list[Finding]:
        """Begin a module; return what grew in the one before."""
        found = self.leave()
        self.scope = Scope("module", name, range="module", watch=self.watch)
        self.before = self.look()
        self.first = self.first or self.before
        return found

    def leave(self) -> list[Finding]:
        """End a module; return what grew in it."""
        scope, self.scope = self.scope, None
        if scope is None or not self.measures:
            return []
        if any(fixture.range in ("package", "session") for fixture in self.watch.fixtures()):
            self.postponed = True
            return []
        return self.compare(scope, self.before)

    def last(self) -> list[Finding]:
        """End the session; return what grew and could not be charged to a module before."""
        found = self.leave()
        if not self.postponed or not self.first:
            return found
        return found + self.compare(self.watch.session, self.first)

    def look(self) -> dict[str, Any]:
        """Return kind -> what there is now; a kind that cannot be measured is left out from here on."""
        found: dict[str, Any] = {}
        for detector in tuple(self.measures):
            try:
                found[detector.kind] = detector.snapshot()
            except Exception:  # noqa: BLE001 -- the watcher's own fault must not become the user's
                self.give_up(detector)
        return found

    def compare(self, scope: Scope, before: dict[str, Any]) -> list[Finding]:
        """Return the findings of every measured kind, after the collector had its chance."""
        found: list[Finding] = []
        for detector in tuple(self.measures):
            try:
                grown = [*detector.grown(before[detector.kind], detector.snapshot())]
                if grown:
                    clean(self.watch)
                    grown = [*detector.grown(before[detector.kind], detector.snapshot())]
            except Exception:  # noqa: BLE001 -- see above
                self.give_up(detector)
                continue
            found += [told(detector, resource, None, scope, self.watch.root) for resource in grown]
        return found

    def give_up(self, detector: Detector) -> None:
        """Measure a kind no more that raised, and say so once."""
        self.measures.remove(detector)
        self.watch.switch_off(detector)
