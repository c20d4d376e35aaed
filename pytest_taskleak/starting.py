"""When does a session begin to be watched, and what is then registered with pytest?

The engine is imported when something wants it: the mode, a marker or the fixture.
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_taskleak.options import CLOCK_NAME, MARKER_NAMES, are_set
from pytest_taskleak.state import POLICY, READER, SEED, STORM, WATCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_taskleak.detectors.base import Detector
    from pytest_taskleak.engine.watch import Watch
    from pytest_taskleak.judge.policy import Policy
    from pytest_taskleak.options import Limits
    from pytest_taskleak.reading import Reader
    from pytest_taskleak.report.terminal import Facts
    from pytest_taskleak.stalling import Stalls, Unheeded


class Starter:
    """Starts the watch as soon as something wants it."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.refused: dict[pytest.Item, str] = {}

    @cached_property
    def detectors(self) -> tuple[Detector, ...]:
        """The built-in detectors and those of other plugins."""
        from pytest_taskleak.detectors import built_in

        more = self.config.hook.pytest_taskleak_detectors(config=self.config)
        found = [*built_in(), *(d for some in more for d in some or ())]
        return tuple({d.kind: d for d in found}.values())

    @cached_property
    def reader(self) -> Reader:
        """What reads settings, against the kinds and codes of the detectors."""
        from pytest_taskleak.detectors import codes_of
        from pytest_taskleak.diagnostics import CODES
        from pytest_taskleak.reading import Reader

        kinds = {d.kind: d.default for d in self.detectors}
        return Reader(kinds, {**CODES, **codes_of(self.detectors)})

    @cached_property
    def policy(self) -> Policy:
        """The settings of the session, checked."""
        self.config.stash[READER] = self.reader
        return self.reader.policy(self.config)

    def begin(self) -> None:
        """Check the settings, and watch unless they say not to."""
        from pytest_taskleak.adapt import xdist

        asked = are_set(self.config)
        watching = asked and self.policy.mode != "off"
        if asked:
            limits = self.reader.limits(self.config)
            self.config.stash[SEED] = limits.seed
            self.config.stash[STORM] = (limits.budget, limits.replay)
            self.guard(limits, watching=watching)
        if watching:
            self.start()
        elif xdist.is_controller(self.config):
            self.config.pluginmanager.register(Listener(self), "taskleak-listener")

    def guard(self, limits: Limits, *, watching: bool) -> None:
        """Do what is asked beside the watch; before it, so that its own work is not bounded."""
        from pytest_taskleak.adapt import xdist

        config = self.config
        if limits.signal:
            from pytest_taskleak import dumping

            dumping.begin(config, limits.signal)
        if limits.timeout and not xdist.is_controller(config):
            from pytest_taskleak import hanging

            hanging.begin(config, limits.timeout)
        if limits.exit or watching:
            from pytest_taskleak import exiting

            exiting.begin(config, limits.exit)
        if limits.audits_sites:
            from pytest_taskleak import auditing

            auditing.begin(config, limits)
        if limits.reports and not hasattr(config, "workerinput"):
            from pytest_taskleak.report.files import Files

            config.pluginmanager.register(Files(limits.reports), "taskleak-files")

    def start(self) -> None:
        """Watch this session; on xdist's controller only tell what the workers found."""
        from pytest_taskleak.adapt import xdist
        from pytest_taskleak.engine.watch import Watch
        from pytest_taskleak.reading import verbosity
        from pytest_taskleak.report.terminal import Summary
        from pytest_taskleak.telling import Relay, Telling
        from pytest_taskleak.watching import Hooks

        config = self.config
        telling = Telling(config, verbosity(config))
        rules = [str(rule) for rule in self.policy.rules] if self.policy.mode != "off" else []
        summary = Summary(
            config, header=self.header, rules=rules, facts=self.facts, verbosity=telling.verbosity
        )
        config.pluginmanager.register(summary, "taskleak-summary")
        if xdist.is_controller(config):
            telling.begin()
            config.pluginmanager.register(Relay(telling.section), "taskleak-relay")
            return
        self.beside()
        watch = Watch(self.detectors, self.policy, root=str(config.rootpath), consult=telling.consult)
        cache: pytest.Cache | None = getattr(config, "cache", None)  # its plugin may be off
        if self.policy.explain == "full" and cache is not None:
            watch.folder = str(cache.mkdir("taskleak"))
        config.stash[WATCH] = watch
        self.wake(watch)
        hooks = Hooks(watch, telling, config, stalls=self.stalls())
        config.pluginmanager.register(hooks, "taskleak-hooks")

    def stalls(self) -> Stalls | Unheeded:
        """Return what ends tests that certainly never end, where the whole session is watched."""
        from pytest_taskleak.stalling import Stalls, Unheeded

        mode = self.policy.mode
        return Unheeded() if mode == "off" else Stalls(self.config, acts=mode == "fail")

    def beside(self) -> None:
        """Take part in what pytest-timeout does, where that is in use."""
        from pytest_taskleak.adapt import pytest_timeout

        if pytest_timeout.is_loaded(self.config):
            from pytest_taskleak.hanging import beside

            beside(self.config)

    def wake(self, watch: Watch) -> None:
        """Start a watch, and prove with canaries that it sees."""
        from pytest_taskleak.engine.canary import blind
        from pytest_taskleak.engine.closing import begin

        begin(watch)
        self.config.add_cleanup(watch.stop)
        missed = blind(watch)
        if missed:
            raise pytest.UsageError(
                f"taskleak: TL902 a planted {missed[0]} was not seen, so a green run would mean nothing; "
                f"what else patches it? (taskleak_detect = -{missed[0]} runs without)"
            )

    def marked(self, item: pytest.Item) -> Policy | None:
        """Return the policy of an item's markers, checked."""
        base = self.policy
        try:
            return self.reader.marked(item, base)
        except pytest.UsageError as error:
            if not hasattr(self.config, "workerinput"):
                raise
            # A worker that ends while collecting is told as a fault of xdist: let the item say it.
            if not self.refused:
                self.config.pluginmanager.register(Refusal(self.refused), "taskleak-refusal")
            self.refused[item] = str(error)
            return None

    def header(self) -> list[str]:
        """Return what is watched, and what cannot be."""
        from pytest_taskleak.engine.patch import PATCHES

        policy = self.policy
        if policy.mode == "off":
            return ["taskleak: watching only what asks for it by marker or fixture"]
        kinds = ", ".join(d.plural or f"{d.kind}s" for d in self.detectors if d.kind in policy.detect)
        lines = [f"taskleak: {policy.mode}; watching {kinds}; grace {policy.grace:g} s"]
        return lines + [f"taskleak: not seen here: {what}" for what in PATCHES.missing()]

    def facts(self) -> Facts | None:
        """Return what this process can say at its end."""
        from pytest_taskleak.exiting import blocking
        from pytest_taskleak.report import text

        watch = self.config.stash.get(WATCH, None)
        if watch is None:
            return None
        return {
            "used": sorted(watch.used),
            "ruled": sorted(watch.ruled),
            "adopted": watch.claims.adopted,
            "notes": [text.one_line(finding) for finding in watch.notes],
            "unowned": [text.one_line(finding) for finding in watch.unowned],
            "blocking": blocking(watch.root, watch.survivors),
        }

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        marked = [item for item in items if any(m.name in MARKER_NAMES for m in item.iter_markers())]
        asking = any("taskleak" in getattr(item, "fixturenames", ()) for item in items)
        wanted: set[str] = set()
        for item in marked:
            policy = self.marked(item)
            if policy is not None:
                item.stash[POLICY] = policy
                wanted |= policy.detect
                asking |= policy.mode != "off"
        running = self.config.pluginmanager.has_plugin("taskleak-summary")
        if asking and not running and self.policy is not None:
            self.start()
        watch = self.config.stash.get(WATCH, None)
        if watch is not None and wanted:
            watch.widen(wanted)
        if asking or running:
            from pytest_taskleak.adapt.code import claim

            claim({str(item.path) for item in items})
        self.clocks(items)
        self.storms(items)

    def storms(self, items: Sequence[pytest.Item]) -> None:
        """Prepare the tests that are run again under a storm because a marker says so."""
        marks = (mark.kwargs for item in items for mark in item.iter_markers(MARKER_NAMES[0]))
        if any("storm" in given or "cancel" in given for given in marks):
            from pytest_taskleak.storming_marks import begin

            begin(self.config, items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        books = sys.modules.get("pytest_taskleak.groups.failures")
        if books is not None:  # task groups are in use: each test counts its own failures
            books.begin_anew()

    def clocks(self, items: Sequence[pytest.Item]) -> None:
        """Prepare the tests that want a fake clock, by fixture or by marker."""
        for item in items:
            if CLOCK_NAME in getattr(item, "fixturenames", ()) or any(item.iter_markers(CLOCK_NAME)):
                from pytest_taskleak.clocking import begin

                begin(self.config, items)
                return


class Refusal:
    """Fails the items of a worker whose markers cannot be read."""

    def __init__(self, refused: dict[pytest.Item, str]) -> None:
        self.refused = refused

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if item in self.refused:
            raise pytest.UsageError(self.refused[item])


class Listener:
    """Lives on xdist's controller while nothing is asked for: a worker may have a marker that asks."""

    def __init__(self, starter: Starter) -> None:
        self.starter = starter

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        manager = self.starter.config.pluginmanager
        if hasattr(report, "taskleak") and not manager.has_plugin("taskleak-summary"):
            self.starter.start()
            manager.unregister(self)
