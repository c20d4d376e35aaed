"""Signal handlers, those of loops, and interval timers: put back or left?"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

import pytest

from pytest_taskleak.adapt import signals
from pytest_taskleak.engine.owner import Scope

if TYPE_CHECKING:
    from tests.detectors.conftest import Lab

pytestmark = pytest.mark.skipif(os.name != "posix", reason="no such signals here")
KIND = "signal"


def on_signal(number: int, frame: FrameType | None) -> None:
    """Do nothing."""


def other(number: int, frame: FrameType | None) -> None:
    """Do nothing either."""


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Everything is as before, whatever happens."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM, signal.SIGPROF)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def alarm_clock() -> Iterator[None]:
    """The real-time timer is free; a timeout plugin may be using it."""
    before = signal.setitimer(signal.ITIMER_REAL, 0)
    yield
    signal.setitimer(signal.ITIMER_REAL, *before)


def codes(lab: Lab) -> list[str]:
    """Return the codes of what is alive."""
    return [lab.detector(KIND).describe(thing).code for thing in lab.live(KIND)]


def test_installed_until_put_back(lab: Lab) -> None:
    before = signal.signal(signal.SIGTERM, on_signal)
    (thing,) = lab.live(KIND)
    told = lab.detector(KIND).describe(thing)
    assert (told.code, told.name, told.what) == ("TL631", "SIGTERM", "on_signal")
    assert told.state == "is still installed"
    assert dict(told.details) == {"before": "signal.SIG_DFL"}
    signal.signal(signal.SIGTERM, before)
    assert lab.live(KIND) == []


def test_one_leak_for_all_changes_of_an_owner(lab: Lab) -> None:
    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGTERM, other)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (thing,) = lab.live(KIND)
    assert lab.detector(KIND).describe(thing).what == "signal.SIG_IGN"
    verdict = lab.watch.close(lab.scope)
    assert [f.code for f in verdict.findings] == ["TL631"]
    assert verdict.findings[0].birth.frames[0].qualname == "test_one_leak_for_all_changes_of_an_owner"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, "what was there before the first"


def test_a_test_may_change_what_a_fixture_has_installed(lab: Lab) -> None:
    signal.signal(signal.SIGTERM, on_signal)
    inner = Scope("test", "inner", parent=lab.scope, watch=lab.watch)
    lab.watch.enter(inner)
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, before)
    assert lab.watch.live(inner, lab.watch.policy) == []
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert lab.watch.live(inner, lab.watch.policy) == [], "it may stop what the fixture has started"
    signal.signal(signal.SIGTERM, other)
    assert [f.code for f in lab.watch.close(inner).findings] == ["TL631"]
    assert signal.getsignal(signal.SIGTERM) is on_signal
    lab.watch.enter(lab.scope)
    assert len(lab.live(KIND)) == 1, "the fixture's own"
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert lab.live(KIND) == []


def test_the_fixture_goes_first(lab: Lab) -> None:
    signal.signal(signal.SIGTERM, on_signal)
    inner = Scope("test", "inner", parent=lab.scope, watch=lab.watch)
    lab.watch.enter(inner)
    before = signal.signal(signal.SIGTERM, other)
    signal.signal(signal.SIGTERM, before)
    lab.watch.enter(lab.scope)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert lab.watch.live(inner, lab.watch.policy) == []


def test_who_undoes_what_was_left_changes_nothing(lab: Lab) -> None:
    gone = Scope("test", "gone", parent=lab.scope, watch=lab.watch)
    lab.watch.enter(gone)
    signal.signal(signal.SIGTERM, on_signal)
    gone.closed = True
    later = Scope("fixture", "later", parent=lab.scope, watch=lab.watch)
    lab.watch.enter(later)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert lab.watch.live(later, lab.watch.policy) == []
    later.closed = True
    lab.watch.enter(lab.scope)
    signal.signal(signal.SIGTERM, on_signal)
    assert len(lab.live(KIND)) == 1, "those who are gone do not excuse it"


def test_asyncios_own_handler_is_no_change(lab: Lab) -> None:
    changed: list[object] = []

    async def change() -> None:
        assert lab.live(KIND) == []
        before = signal.signal(signal.SIGINT, on_signal)
        changed.append(before)
        signal.signal(signal.SIGINT, before)
        assert lab.live(KIND) == []

    asyncio.run(change())
    assert lab.live(KIND) == []
    assert signals.is_own(changed[0])
    assert signals.settled(signal.SIGINT, changed[0]) is signal.default_int_handler


def test_a_dead_handler_of_asyncio_is_not_put_back(lab: Lab) -> None:
    async def leave() -> None:
        signal.signal(signal.SIGINT, on_signal)

    asyncio.run(leave())
    assert [f.code for f in lab.watch.close(lab.scope).findings] == ["TL631"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_timers(lab: Lab) -> None:
    signal.setitimer(signal.ITIMER_PROF, 3600, 60)
    (thing,) = lab.live(KIND)
    detector = lab.detector(KIND)
    told = detector.describe(thing)
    assert (told.code, told.name, told.state) == ("TL632", "ITIMER_PROF", "(fires every 60 s) is still armed")
    assert detector.patience(thing) == float("inf")
    signal.setitimer(signal.ITIMER_PROF, 3600)
    (thing,) = lab.live(KIND)
    assert 3000 < detector.patience(thing) <= 3601
    assert "fires once" in detector.describe(thing).state
    signal.setitimer(signal.ITIMER_PROF, 0)
    assert lab.live(KIND) == []


@pytest.mark.usefixtures("alarm_clock")
def test_alarm(lab: Lab) -> None:
    assert signal.alarm(3600) == 0
    assert codes(lab) == ["TL632"]
    assert 3599 <= signal.alarm(0) <= 3600
    assert lab.live(KIND) == []


@pytest.mark.usefixtures("alarm_clock")
def test_a_timer_that_fires_is_gone(lab: Lab) -> None:
    fired = threading.Event()
    before = signal.signal(signal.SIGALRM, lambda *_: fired.set())
    signal.setitimer(signal.ITIMER_REAL, 0.005)
    fired.wait(5)
    signal.signal(signal.SIGALRM, before)
    assert lab.live(KIND) == []


def test_the_timer_before_is_armed_again(lab: Lab) -> None:
    signal.setitimer(signal.ITIMER_PROF, 7200, 60)
    (wide,) = lab.live(KIND)
    inner = Scope("test", "inner", parent=lab.scope, watch=lab.watch)
    lab.watch.enter(inner)
    before = signal.setitimer(signal.ITIMER_PROF, 100)
    assert lab.live(KIND) == [], "another one took its place"
    signal.setitimer(signal.ITIMER_PROF, *before)
    assert lab.watch.live(inner, lab.watch.policy) == []
    assert lab.live(KIND) == [wide]
    signal.setitimer(signal.ITIMER_PROF, 100)
    assert [f.code for f in lab.watch.close(inner).findings] == ["TL632"]
    seconds, interval = signal.getitimer(signal.ITIMER_PROF)
    assert (seconds > 7000, interval) == (True, 60)
    assert lab.live(KIND) == [wide]
    signal.setitimer(signal.ITIMER_PROF, 0)


def test_removal_disarms(lab: Lab) -> None:
    signal.setitimer(signal.ITIMER_PROF, 3600, 60)
    assert [f.code for f in lab.watch.close(lab.scope).findings] == ["TL632"]
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


@pytest.mark.parametrize("uv", [False, True])
def test_handlers_of_loops(lab: Lab, *, uv: bool) -> None:
    make = pytest.importorskip("uvloop").new_event_loop if uv else asyncio.new_event_loop
    loop: asyncio.AbstractEventLoop = make()
    loop.add_signal_handler(signal.SIGUSR1, print)
    (thing,) = lab.live(KIND)
    detector = lab.detector(KIND)
    told = detector.describe(thing)
    assert (told.code, told.name, told.what) == ("TL633", "SIGUSR1", "print")
    assert detector.loop(thing) is loop
    dropped = detector.ended(told, "close")
    assert (dropped.code, dropped.outlives) == ("TL634", False)
    assert detector.codes["TL634"].level == "note"
    detector.remove(thing)
    assert lab.live(KIND) == []
    assert loop.remove_signal_handler(signal.SIGUSR1) is False
    loop.close()


def test_a_method_shows_whose_it_is(lab: Lab) -> None:
    class Server:
        def stop(self, *_: object) -> None:
            pass

    server = Server()
    signal.signal(signal.SIGTERM, server.stop)
    (thing,) = lab.live(KIND)
    assert tuple(lab.detector(KIND).keeper(thing)) == (thing, server)
    loop = asyncio.new_event_loop()
    loop.add_signal_handler(signal.SIGUSR1, server.stop)
    handed = next(x for x in lab.live(KIND) if x is not thing)
    assert tuple(lab.detector(KIND).keeper(handed)) == (handed, server)
    loop.remove_signal_handler(signal.SIGUSR1)
    loop.close()


def test_errors_are_pythons_own(lab: Lab) -> None:
    with pytest.raises(TypeError):
        signal.signal(signal.SIGTERM, "no handler")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        signal.setitimer()  # type: ignore[call-arg]
    errors: list[BaseException] = []

    def elsewhere() -> None:
        try:
            signal.signal(signal.SIGTERM, on_signal)
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(errors) == 1, "only the main thread may"
    assert lab.live(KIND) == []


def test_equal_handlers_are_told_without_their_code() -> None:
    class Odd:
        def __eq__(self, _: object) -> bool:
            raise AssertionError

        def __call__(self, *_: object) -> None:
            pass

        __hash__ = None  # type: ignore[assignment]

    odd = Odd()
    assert signals.same(odd, odd)
    assert not signals.same(odd, Odd())
    assert signals.same(odd.__call__, odd.__call__)
    assert signals.same(signal.SIG_DFL, 0)
    assert signals.describe(None)[1] == "a handler that is not Python's"
