"""When does a session begin to be watched, and what is then registered with pytest?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_taskleak import reading
from pytest_taskleak.adapt import xdist
from pytest_taskleak.adapt.code import claim
from pytest_taskleak.detectors.base import Detector
from pytest_taskleak.engine.canary import blind
from pytest_taskleak.engine.closing import begin
from pytest_taskleak.engine.patch import PATCHES
from pytest_taskleak.engine.watch import Watch
from pytest_taskleak.judge.policy import Policy
from pytest_taskleak.report.terminal import Facts, Summary
from pytest_taskleak.state import POLICY, READER, WATCH
from pytest_taskleak.telling import Telling

MakeHooks = Callable[[Watch, Telling, pytest.Config], object]


class Watcher:
    """Starts the watch as soon as something wants it: the mode, a marker or the fixture."""

    def __init__(
        self, config: pytest.Config, detectors: tuple[Detector, ...], policy: Policy, hooks: MakeHooks
    ) -> None:
        self.config = config
        self.detectors = detectors
        self.policy = policy
        self.hooks = hooks

    def start(self) -> None:
        """Watch this session; on xdist's controller only tell what the workers found."""
        config = self.config
        telling = Telling(config, reading.verbosity(config))
        rules = [str(rule) for rule in self.policy.rules] if self.policy.mode != "off" else []
        summary = Summary(
            config, header=self.header, rules=rules, facts=self.facts, verbosity=telling.verbosity
        )
        config.pluginmanager.register(summary, "taskleak-summary")
        if xdist.is_controller(config):
            telling.begin()
            return
        watch = Watch(self.detectors, self.policy, root=str(config.rootpath), consult=telling.consult)
        config.stash[WATCH] = watch
        begin(watch)
        config.add_cleanup(watch.stop)
        missed = blind(watch)
        if missed:
            raise pytest.UsageError(
                f"taskleak: TL902 a planted {missed[0]} was not seen, so a green run would mean nothing; "
                f"what else patches it? (taskleak_detect = -{missed[0]} runs without)"
            )
        config.pluginmanager.register(self.hooks(watch, telling, config), "taskleak-hooks")

    def header(self) -> list[str]:
        """Return what is watched, and what cannot be."""
        policy = self.policy
        if policy.mode == "off":
            return ["taskleak: watching only what asks for it by marker or fixture"]
        kinds = ", ".join(f"{d.kind}s" for d in self.detectors if d.kind in policy.detect)
        lines = [f"taskleak: {policy.mode}; watching {kinds}; grace {policy.grace:g} s"]
        return lines + [f"taskleak: not seen here: {what}" for what in PATCHES.missing()]

    def facts(self) -> Facts | None:
        """Return what this process can say at its end."""
        watch = self.config.stash.get(WATCH, None)
        if watch is None:
            return None
        return {"used": sorted(watch.used), "adopted": watch.claims.adopted}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        reader, wanted = self.config.stash[READER], False
        for item in items:
            policy = reader.marked(item, self.policy)
            if policy is not None:
                item.stash[POLICY] = policy
                wanted |= policy.mode != "off"
            wanted |= "taskleak" in getattr(item, "fixturenames", ())
        claim({str(item.path) for item in items})
        if wanted and not self.config.pluginmanager.has_plugin("taskleak-summary"):
            self.start()
