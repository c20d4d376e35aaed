"""The catalogue by name: what does each name try, and what is said of what cannot be had?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_taskleak.report import storm_page, storm_text
from pytest_taskleak.storm.adapters import Make, maker
from pytest_taskleak.storm.catalogue import CATALOGUE, PRESETS, TRIED, asked, chosen, scenario_of
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.needs import real
from pytest_taskleak.storm.plan import AXES, TRIALS, Limits
from pytest_taskleak.storm.results import StormReport
from pytest_taskleak.storm.scenarios import perform, replay
from pytest_taskleak.storm.shapes import SHAPES
from pytest_taskleak.storm.sweep import Sweep
from pytest_taskleak.storm.telling import document
from pytest_taskleak.storm.tokens import TokenError

sys.path.insert(0, str(Path(__file__).resolve().parent))

from designs import audit_002 as audit
from designs import dispatcher_004 as dispatcher
from designs import hardening_003 as hardening


def test_every_scenario_has_its_key() -> None:
    assert list(CATALOGUE) == [f"S{number}" for number in range(1, 30)]
    for scenario in CATALOGUE.values():
        assert bool(scenario.lacks) != bool(scenario.axes or scenario.kind != "sweep"), scenario.name
        assert set(scenario.axes) <= {*AXES, *TRIALS}
        assert scenario.shape in {*SHAPES, "churn", ""}


def test_presets() -> None:
    assert PRESETS["quick"] == ("S1", "S2", "S3", "S5", "S9")
    assert PRESETS["default"] == (*PRESETS["quick"], "S6", "S10", "S14")
    assert asked("quick") == (("stop", "cancel", "stop2", "kill"), (0,))
    assert asked("default") == (("stop", "cancel", "stop2", "kill", "fault"), (0,))
    axes, seeds = asked("thorough")
    assert set(axes) >= set(AXES)
    assert len(seeds) == 8
    assert [scenario.key for scenario in chosen("default").others] == ["S6", "S14"]


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        ("S1", ("stop",)),
        ("stop_under_load", ("stop",)),
        ("s3, targeted-cancel", ("stop2", "kill")),
        (["kill", "stop"], ("stop", "kill")),
        ("signal_in_drain", ("pair",)),
        ("S24", ("leap",)),
        ("S18 client_disconnects", ("inside", "disconnect")),
    ],
)
def test_names_of_any_sort(names: Any, axes: tuple[str, ...]) -> None:
    assert asked(names)[0] == axes


def test_a_preset_says_what_it_leaves_out() -> None:
    left = dict(chosen("thorough").left_out)
    assert {name.split()[0] for name in left} == {
        key for key in CATALOGUE if key not in PRESETS["thorough"]
    }  # fmt: skip
    assert {why for name, why in left.items() if name.split()[0] in TRIED} == {"asked for by name"}
    assert {name.split()[0] for name in left} == {"S7", "S12", "S18", "S19", "S27", "S28"}
    assert "S7 one_worker_raises" not in dict(chosen("thorough, S7").left_out), "it was asked for"
    assert chosen("default").left_out == ()


def test_what_was_asked_for_by_name_is_known() -> None:
    assert chosen("thorough").named == frozenset()
    assert chosen("default, S21 open_connections").named == {"S21", "S22"}
    assert chosen(["disconnect", "inside", "leap"]).named == {"S18", "S21", "S24"}


def test_what_cannot_be_had_in_real_time_is_left_out() -> None:
    left = real(chosen("default"))
    assert set(left) == {"kill", "fault", "S6 shutdown_in_retry", "S14 restart_n"}
    assert set(left.values()) == {'mode="real" has stop, cancel and stop2 alone'}
    assert real(chosen("S1 S2 S3")) == {}
    assert "S28 child_left" in real(chosen("thorough"))


def test_what_is_left_out_is_told_in_each_report() -> None:
    report = performed(maker(Accepting), None, "thorough")
    lines = storm_text.lines(report, 110)
    assert report.causes == []
    assert " ".join(line.strip() for line in lines[1:]) == (
        "left out: S7 one_worker_raises, S12 lock_holder_stuck, S18 self_drain, S19 stubborn_task (asked for "
        "by name); S27 grace_exceeded, S28 child_left (it needs a server in a process of its own); "
        "S21 client_disconnects (no client of the load has a connection); "
        "S22 open_connections (no client of the load has a connection to keep open)"
    )
    assert all(len(line) <= 110 for line in lines[1:])
    assert storm_text.lines(report, 110, verbosity=-1) == lines[:1]
    whole = " ".join(" ".join(storm_text.lines(report, 200, verbosity=1)).split())
    assert 'mode="real" stops a service in this process' in whole
    values = json.loads(json.dumps(document(report)))
    assert values["left_out"] == report.left_out
    assert storm_text.lines(values, 110) == lines
    shown = storm_page.page(values)
    assert "<h2>Left out</h2>" in shown
    assert "S18 self_drain" in shown
    assert "env.stream_pair()" in shown
    plain = performed(maker(Accepting), None, "quick")
    assert len(storm_text.lines(plain, 200)) == 1
    assert "Left out" not in storm_page.page(document(plain))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (
            "S99",
            "no scenario of a storm: 'S99'; there are the presets quick, default, thorough, the axes stop",
        ),
        (
            "S28",
            "S28 child_left cannot be had: it needs a server in a process of its own, which no storm starts",
        ),
        (
            "grace_exceeded",
            'mode="real" stops a service in this process, with real sockets, threads and child',
        ),
        ("", "nothing was asked for"),
        ([], "nothing was asked for"),
        ([3], "got 3"),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(name: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        chosen(name)
    assert "S1 stop_under_load" in str(caught.value), "what can be had is listed"


def test_loads_of_scenarios() -> None:
    def submit(service: list[int], env: Env, item: int) -> None:
        service.append(item)

    for scenario in CATALOGUE.values():
        if scenario.shape in SHAPES:
            assert callable(scenario.load(submit))
    with pytest.raises(ValueError, match=r"S15 entity_churn: its load is shapes\.churn"):
        CATALOGUE["S15"].load(submit)
    with pytest.raises(ValueError, match="S5 signal_in_startup: its load is none"):
        CATALOGUE["S5"].load(submit)


def test_s23_traffic_goes_on_after_the_stop() -> None:
    load = CATALOGUE["S23"].load(lambda service, env, item: service.submit(item))
    assert letters(performed(maker(dispatcher.CancellingRetries), load, "S23")) == set()
    accepting = maker(Accepting)
    assert letters(performed(accepting, load, "S23")) == {"L"}
    assert letters(performed(accepting, lambda service: service.submit(0), "S23")) == set()


class Accepting:
    """Works on items when it is stopped; what comes later is taken on, and lost.

    Parameters:
        env: the world.
    """

    def __init__(self, env: Env) -> None:
        self.env = env
        self.items: list[int] = []

    async def start(self) -> None:
        """Begin."""

    def submit(self, item: int) -> None:
        """Take an item on."""
        self.items.append(self.env.accept(item))

    async def stop(self) -> None:
        """Do all that is there."""
        while self.items:
            self.env.finish(self.items.pop())


def test_every_name_that_can_be_had_is_found_both_ways() -> None:
    for scenario in CATALOGUE.values():
        if not scenario.lacks:
            assert scenario_of(scenario.key) is scenario_of(scenario.name) is scenario


# --- what they find --------------------------------------------------------------------------------------


def performed(make: Make, load: Any, names: str, **limits: Any) -> StormReport:
    choice = chosen(names)
    return perform(choice, Sweep(make, load, "service", choice.axes, choice.seeds, Limits(**limits)))


def letters(report: StormReport) -> set[str]:
    return {cause.oracle for cause in report.causes if cause.scale == "violation"}


def wrong(report: StormReport) -> list[Any]:
    """Return what is wrong; that a client was cut off is nobody's mistake."""
    return [cause for cause in report.causes if cause.scale != "indeterminate"]


class Impatient:
    """Stores each item once; it gives up what has failed.

    Parameters:
        env: the world.
        says: whether it says so.
    """

    def __init__(self, env: Env, *, says: bool) -> None:
        self.env = env
        self.says = says
        self.store = env.dep("store")

    async def start(self) -> None:
        """Begin."""

    async def put(self, item: int) -> None:
        """Store an item."""
        self.env.accept(item)
        try:
            await self.store(item)
        except ConnectionError:
            if self.says:
                self.env.drop(item, "the store is down")
            return
        self.env.finish(item)

    async def stop(self) -> None:
        """End."""


async def ten(service: Impatient) -> None:
    for number in range(10):
        await service.put(number)


def make_impatient(*, says: bool) -> Make:
    return maker(lambda env: Impatient(env, says=says))


def test_s6_first_tries_fail() -> None:
    assert letters(performed(make_impatient(says=False), ten, "S6")) == {"L"}
    silent = performed(make_impatient(says=False), ten, "stop")
    assert letters(silent) == set(), "without the world of S6 nothing fails"
    assert letters(performed(make_impatient(says=True), ten, "S6 S8 S20")) == set()
    both = performed(make_impatient(says=False), ten, "S6 S10")
    assert [cause.axis for cause in both.causes] == ["fault", "S6/baseline"], "each world has its own causes"
    assert both.axes[-1].axis == "S6/baseline"


def test_s6_is_replayed_in_its_world() -> None:
    make = make_impatient(says=False)
    report = performed(make, ten, "S6")
    token = report.causes[0].token
    assert token.startswith("S6/")
    plain = Sweep(make, ten, "service", ("stop",))
    again = replay(plain, token)
    assert letters(again) == {"L"}
    assert again.replay == token
    assert letters(replay(plain, "stop@3")) == set()
    with pytest.raises(TokenError, match="S1 stop_under_load"):
        replay(plain, "S1/stop@3")


def test_s14_and_s29_count_what_grows() -> None:
    broken = performed(maker(hardening.CachePerInstance), None, "S14")
    assert "T" in letters(broken)
    assert broken.causes[0].token == "S14"  # noqa: S105 -- no secret
    assert letters(replay(Sweep(maker(hardening.CachePerInstance), None, "x", ()), "S14")) == letters(broken)
    assert letters(performed(maker(hardening.ClosedCaches), None, "S14 S29")) == set()


def test_s12_a_holder_that_never_runs_again() -> None:
    found = performed(maker(hardening.Coalescing), hardening.three_callers, "S12")
    assert letters(found) >= {"K", "Q"}
    bounded = performed(maker(dispatcher.CancellingStop), None, "S19", deadline=15)
    assert letters(bounded) == {"B"}, "its stop waits for ever after it has cancelled"
    assert letters(performed(maker(hardening.Waits), None, "S19", grace=10)) == set(), "its stop is a bound"


def test_s7_what_a_worker_waits_for_fails() -> None:
    assert letters(performed(maker(audit.CarefulTrail), audit.entries, "S7")) == set()
    broken = performed(maker(lambda env: hardening.Querying(env, hardening.LeakingPool)), None, "S7")
    assert letters(broken) == {"K"}


def test_s24_time_leaps() -> None:
    assert letters(performed(maker(dispatcher.CancellingRetries), lambda s: s.submit(1), "S24")) == set()
    assert letters(performed(maker(dispatcher.Retrying), lambda s: s.submit(1), "S24")) == {"C", "t"}


def test_a_second_signal_may_cost_work() -> None:
    class Flushing(audit.Trail):
        async def start(self) -> None:
            """Begin nothing: all is stored at the end."""

    report = performed(maker(Flushing), audit.entries, "S4")
    assert {(cause.oracle, cause.scale) for cause in report.causes} == {("L", "forced loss")}
    assert not report.failing


@pytest.mark.parametrize(
    ("make", "load"),
    [
        (maker(audit.CarefulTrail), audit.entries),
        (maker(audit.CountingTrail), audit.entries),
        (maker(hardening.Sharing), hardening.three_callers),
        (maker(hardening.Watched), None),
        (maker(lambda env: hardening.Querying(env, hardening.CarefulPool)), None),
        (maker(hardening.ClosedLast), None),
    ],
)
def test_sound_services_stand_the_default(make: Make, load: Any) -> None:
    report = performed(make, load, "default")
    assert report.complete
    assert wrong(report) == []
    assert {axis.axis for axis in report.axes} >= {"stop", "S6/stop", "S14/restart_n"}


def test_a_sound_service_stands_everything() -> None:
    report = performed(maker(hardening.Sharing), hardening.three_callers, "thorough")
    assert report.complete
    assert wrong(report) == []
    assert len(report.axes) > len(AXES)


def test_what_fails_of_itself_is_not_taken_to_other_worlds() -> None:
    report = performed(maker(hardening.ClosedFirst), None, "default")
    assert letters(report) == {"C"}
    assert not report.complete
    assert [cause.axis for cause in report.causes] == ["baseline"]
