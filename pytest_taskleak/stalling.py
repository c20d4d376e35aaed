"""What happens when a test can certainly never end, though nobody has set a timeout?

Every few seconds a thread asks whether the phase is still the same, and only then whether it is certain
that it never ends.  A test in time pays for one assignment in each phase.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator

import pytest

from pytest_taskleak import timing
from pytest_taskleak.adapt import debugger, pytest_, running
from pytest_taskleak.adapt.sentry import Sentry
from pytest_taskleak.dumping import Console
from pytest_taskleak.engine.watchdog import Alarm
from pytest_taskleak.hanging import Hanging, failure

SIGNALS = ("SIGURG",)
"""Unasked, no other signal is taken from the program; by default this one is ignored."""
PERIOD = 2.5
"""Seconds between two looks: a phase that is looked at has lasted longer than that."""
STEP = 0.02
"""Seconds between two looks at whether a phase that is being ended has ended."""
Phase = tuple[pytest.Item, str]


class Unending(Alarm):
    """The alarm of a phase that never ends; it is over as soon as another phase has begun."""

    def __init__(self, stalls: Stalls, phase: Phase) -> None:
        self.stalls = stalls
        self.phase = phase
        super().__init__(PERIOD, _nothing)

    @property
    def over(self) -> bool:
        return self.stalls.phase is not self.phase

    @over.setter
    def over(self, value: bool) -> None:
        """Nobody ends it but the next phase."""


class Stalls:
    """Ends what never ends by itself.

    Parameters:
        config: pytest's configuration.
        acts: whether such a phase is ended; else it is only told of.
    """

    def __init__(self, config: pytest.Config, *, acts: bool) -> None:
        self.config = config
        self.acts = acts
        self.hanging = Hanging(config, Console.of(config), PERIOD, signals=SIGNALS)
        self.phase: Phase | None = None
        self.before: Phase | None = None
        self.told: Phase | None = None
        self.alarm: Unending | None = None
        self.sentry = Sentry(self.look, PERIOD)
        config.add_cleanup(self.sentry.stop)

    def enter(self, item: pytest.Item, when: str) -> None:
        """Note that a phase begins."""
        self.phase = (item, when)
        if not self.sentry.runs:
            self.sentry.start()

    # --- in the sentry's thread -----------------------------------------------------------------

    def look(self) -> None:
        """Look whether the phase is still the same, and whether it is certain that it never ends."""
        phase, before = self.phase, self.before
        self.before = phase
        if phase is None or phase is not before or phase is self.told:
            return
        from pytest_taskleak.engine.stalling import never_ends

        if debugger.is_active(running.frames().get(self.hanging.ident)):
            return
        reason = never_ends(self.hanging.ident)
        if reason and self.phase is phase:
            self.told = phase
            self.end(phase, reason)

    def end(self, phase: Phase, reason: str) -> None:
        """Tell of a phase that never ends, and end it."""
        item, when = phase
        self.alarm = alarm = Unending(self, phase)
        if not self.acts:
            self.hanging.look(item, when, alarm, running.frames().get(self.hanging.ident), reason)
            self.hanging.console.write(f"never ends: {item.nodeid}", alarm.text)
            return
        manager = self.config.pluginmanager
        if not manager.has_plugin("taskleak-stalled"):
            manager.register(Stalled(self), "taskleak-stalled")
        for bound in self.hanging.steps(item, when, alarm, reason):
            for _ in range(int(bound / STEP)):
                if alarm.over:
                    return
                timing.pause(STEP)


class Unheeded:
    """Stands for `Stalls` where nobody looks."""

    phase: Phase | None = None

    def enter(self, item: pytest.Item, when: str) -> None:
        """Note nothing."""


class Stalled:
    """Makes the report of a phase that was ended; registered once there is one."""

    def __init__(self, stalls: Stalls) -> None:
        self.stalls = stalls

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        alarm = self.stalls.alarm
        if alarm is not None and alarm.text and alarm.phase == (item, call.when):
            pytest_.forget_failure(item)
            call.excinfo = caught(failure(alarm.text))
            self.stalls.alarm = None
        report = yield
        self.stalls.hanging.attach(item, call, report)
        return report


def caught(error: BaseException) -> pytest.ExceptionInfo[BaseException]:
    """Return an exception as pytest keeps one that was raised."""
    try:
        raise error  # noqa: TRY301 -- it is raised to be caught
    except BaseException:  # noqa: BLE001 -- see above
        return pytest.ExceptionInfo.from_current()


def _nothing(alarm: Alarm) -> Iterator[float]:
    """Stand for the steps of an alarm that is not armed."""
    del alarm
    return itertools.repeat(float("inf"))
