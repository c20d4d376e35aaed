"""Which signal handlers and interval timers are left behind?

For each owner and signal the first change is kept: what was installed before it must be there again
in the end, by whomever.  A test may take away what a wider owner has installed.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

from pytest_taskleak.adapt import signals
from pytest_taskleak.adapt.asyncio_ import UVLOOP
from pytest_taskleak.adapt.futures import bound_to, describe
from pytest_taskleak.adapt.signals import Handler, Interval, LoopHandler
from pytest_taskleak.detectors.base import Detector, Ending, Patch, Record, Recorder, nothing_planted
from pytest_taskleak.model import Code, Resource
from pytest_taskleak.safely import is_a

LENT = ("loop", "the test runner's")
"""Says of a loop's handler that whoever added it did not make the loop, and cannot leave it to its end."""


class Signals(Detector):
    """Signal handlers, the signal handlers of loops, and interval timers."""

    kind = "signal"
    plural = "signal handlers"
    rank = 95
    tied: ClassVar[tuple[Ending, ...]] = ("close",)
    codes: ClassVar = {
        "TL631": Code(
            title="signal handler left installed",
            meaning="A handler of signal.signal() was still installed when its owner's scope had closed.",
            cause="A server that does not put back what it found; alarm(0) that leaves the handler.",
            cure="Keep what signal.signal() returns, and install that again in a finally clause.",
        ),
        "TL632": Code(
            title="interval timer left armed",
            meaning="A timer of alarm() or setitimer() was still armed when its owner's scope had closed.",
            cause="A timeout that is not disarmed when the work ends early or raises.",
            cure="Disarm it in a finally clause: alarm(0), setitimer(which, 0).",
        ),
        "TL633": Code(
            title="loop signal handler left",
            meaning="An add_signal_handler() callback was on a live loop when its owner's scope had closed.",
            cause="A server's start that adds handlers, without a stop that removes them.",
            cure="Call loop.remove_signal_handler() when the server stops.",
        ),
        "TL634": Code(
            title="loop signal handler dropped",
            meaning="A loop was closed with a signal handler on it, which asyncio removed in silence.",
            cause="asyncio.run(main()) where main adds signal handlers and removes none.",
            cure="Call loop.remove_signal_handler() before the main coroutine returns.",
            level="note",
        ),
    }

    def __init__(self) -> None:
        self.changes: dict[int, list[Handler]] = {}
        self.armed: dict[int, Interval] = {}
        self.displaced: dict[int, deque[tuple[tuple[float, float], Interval | None]]] = {}
        self.loops: weakref.WeakKeyDictionary[Any, dict[int, LoopHandler]] = weakref.WeakKeyDictionary()

    # --- births ---------------------------------------------------------------------------------

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        record = recorder(self.kind, mark=True)
        yield Patch(lambda: [sys.modules["_signal"]], "signal", self.wrap_signal(record), "signal handlers")
        timers = "interval timers"
        yield Patch(signals.timer_modules, "setitimer", self.wrap_setitimer(record), timers)
        yield Patch(signals.timer_modules, "alarm", self.wrap_alarm(record), timers)
        loops, add, remove = "signal handlers of loops", "add_signal_handler", "remove_signal_handler"
        yield Patch(signals.loop_classes, add, self.wrap_add(record), loops, after=UVLOOP)
        yield Patch(signals.loop_classes, remove, self.wrap_remove, loops, after=UVLOOP)

    def wrap_signal(self, record: Record) -> Callable[[Any], Any]:
        """Return the wrapper of the built-in `signal`, which sees also who holds `signal.signal`."""
        through, runners = signals.signal_code(), signals.RUNNERS

        def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
            def set_handler(number: Any, handler: Any, /) -> Any:
                frame = caller = sys._getframe(1)
                if frame.f_code is through and frame.f_back is not None:
                    caller = frame.f_back
                if caller.f_code.co_filename in runners:  # at each of their runs
                    return original(number, handler)
                before = original(number, handler)
                if not signals.by_loop(caller) and not signals.is_quiet():
                    with contextlib.suppress(Exception):  # the handler is installed, whatever we make of it
                        self.changed(int(number), before, record, frame)
                return before

            return set_handler

        return wrap

    def changed(self, number: int, before: Any, record: Record, frame: Any) -> None:
        """Note the first change of an owner; the later ones only matter by what is left in the end."""
        change = Handler(number, signals.settled(number, before))
        standing = signals.standing(self.changes.get(number, ()), change.before)
        record(change, frame)
        if change.scope() is not None and all(h.scope() is not change.scope() for h in standing):
            standing.append(change)
        if len(standing) == 1 and signals.same(standing[0].before, signals.current(number)):
            standing.clear()  # put back, and no other change began from it
        self.changes[number] = standing

    def wrap_setitimer(self, record: Record) -> Callable[[Any], Any]:
        """Return the wrapper of `signal.setitimer`."""

        def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
            def setitimer(*args: Any, **options: Any) -> Any:
                before = original(*args, **options)
                with contextlib.suppress(Exception):  # the timer is set, whatever we make of it
                    which, seconds, interval = (*args, 0.0)[:3]
                    self.arm(int(which), (float(seconds), float(interval)), before, record)
                return before

            return setitimer

        return wrap

    def wrap_alarm(self, record: Record) -> Callable[[Any], Any]:
        """Return the wrapper of `signal.alarm`, which is the real-time timer in whole seconds."""

        def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
            def alarm(*args: Any, **options: Any) -> Any:
                before = original(*args, **options)
                with contextlib.suppress(Exception):  # see above
                    self.arm(signal.ITIMER_REAL, (float(args[0]), 0.0), (float(before), 0.0), record)
                return before

            return alarm

        return wrap

    def arm(self, which: int, now: tuple[float, float], before: tuple[float, float], record: Record) -> None:
        """Note that a timer was armed, disarmed, or set back to what it was before."""
        if signals.is_quiet():
            return
        old = self.armed.pop(which, None)
        displaced = self.displaced.setdefault(which, deque(maxlen=signals.MOST_DISPLACED))
        back = next((d for d in displaced if now[0] and d[0] == now), None)
        if back is not None:
            displaced.remove(back)
            if back[1] is not None:
                self.armed[which] = back[1]
            return
        if before[0]:
            displaced.append((before, old))
        if now[0]:
            self.armed[which] = armed = Interval(which, before, old if before[0] else None)
            record(armed, sys._getframe(2))

    def wrap_add(self, record: Record) -> Callable[[Any], Any]:
        """Return the wrapper of a loop's `add_signal_handler`."""

        def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
            def add_signal_handler(loop: Any, /, *args: Any, **options: Any) -> Any:
                with signals.quietly():
                    result = original(loop, *args, **options)
                with contextlib.suppress(Exception):  # the handler is there, whatever we make of it
                    number, callback = args[0], args[1]
                    added = LoopHandler(loop, int(number), describe(callback))
                    self.loops.setdefault(loop, {})[int(number)] = added
                    record(added, sys._getframe(1))
                return result

            return add_signal_handler

        return wrap

    def wrap_remove(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return the wrapper of a loop's `remove_signal_handler`."""

        def remove_signal_handler(loop: Any, /, *args: Any, **options: Any) -> Any:
            with signals.quietly():
                result = original(loop, *args, **options)
            with contextlib.suppress(Exception):  # see above
                self.loops.get(loop, {}).pop(int(args[0]), None)
            return result

        return remove_signal_handler

    # --- looking --------------------------------------------------------------------------------

    def alive(self, thing: Any) -> bool:
        if isinstance(thing, Interval):
            return self.armed.get(thing.which) is thing and signal.getitimer(thing.which)[0] > 0
        if is_a(thing, LoopHandler):
            loop = thing.loop()
            registered = loop is not None and not loop.is_closed()
            return registered and self.loops.get(loop, {}).get(thing.number) is thing
        now = signals.current(thing.number)
        for change in self.changes.get(thing.number, ()):  # what undoes an older change undoes this one too
            if signals.same(change.before, now):
                return False
            if change is thing:
                return True
        return False

    def loop(self, thing: Any) -> Any:
        return thing.loop() if is_a(thing, LoopHandler) else None

    def patience(self, thing: Any) -> float:
        if not is_a(thing, Interval):
            return float("inf")
        left, interval = signal.getitimer(thing.which)
        return float("inf") if interval else left

    def keeper(self, thing: Any) -> Iterable[Any]:
        if is_a(thing, Interval):
            return (thing,)
        if is_a(thing, LoopHandler):
            return (thing, *bound_to(signals.callback_on(thing.loop(), thing.number)))
        return (thing, *bound_to(signal.getsignal(thing.number)))

    # --- telling --------------------------------------------------------------------------------

    def describe(self, thing: Any) -> Resource:
        if is_a(thing, Interval):
            name, fires = signals.describe_timer(thing.which)
            state = f"({fires}) is still armed"
            return Resource(code="TL632", name=name, what=name, state=state, noun="interval timer")
        if is_a(thing, LoopHandler):
            name, noun = signals.name_of(thing.number), "loop signal handler"
            plain = Resource(code="TL633", name=name, what=thing.what, module=thing.module, noun=noun)
            lent = () if thing.own else (LENT,)
            return replace(plain, state="is still registered", role="callback", details=lent)
        module, what = signals.describe(signal.getsignal(thing.number))
        return Resource(
            code="TL631",
            name=signals.name_of(thing.number),
            what=what,
            module=module,
            state="is still installed",
            role="callback",
            noun="signal handler",
            details=(("before", signals.describe(thing.before)[1]),),
        )

    def ended(self, resource: Resource, ending: Ending) -> Resource:
        if LENT in resource.details:
            state = "was still registered when its test runner closed the loop"
            return replace(resource, state=state, outlives=False, details=())
        state = "was removed in silence when its loop was closed"
        return replace(resource, code="TL634", state=state, outlives=False)

    def advice(self, resource: Resource) -> str:
        return {
            "TL631": "keep what signal.signal() returns, and install that again in a finally clause",
            "TL632": "disarm it in a finally clause: signal.alarm(0), signal.setitimer(which, 0)",
        }.get(resource.code, "call loop.remove_signal_handler() when what it serves has stopped")

    # --- removing -------------------------------------------------------------------------------

    def remove(self, thing: Any) -> bool:
        if is_a(thing, Interval):
            self.disarm(thing)
        elif not signals.in_main_thread():
            return False
        elif is_a(thing, LoopHandler):
            thing.loop().remove_signal_handler(thing.number)
        elif thing.before is not None:  # else the one before was not Python's: there is no way back
            with signals.quietly():
                signal.signal(thing.number, thing.before)
            self.changes[thing.number] = [h for h in self.changes.get(thing.number, ()) if h is not thing]
        return False

    def disarm(self, interval: Interval) -> None:
        """Disarm a timer, or arm again the one whose place it took."""
        with signals.quietly():
            signal.setitimer(interval.which, *interval.rest())
        self.armed.pop(interval.which, None)
        if interval.replaced is not None:
            self.armed[interval.which] = interval.replaced

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        known = [n for name in ("SIGWINCH", "SIGURG") if (n := getattr(signal, name, None)) is not None]
        number = next((n for n in known if signal.getsignal(n) is signal.SIG_DFL), None)
        if number is None or not signals.in_main_thread():
            with nothing_planted():
                yield None
            return
        signal.signal(number, signal.SIG_IGN)
        try:
            yield next((h for h in reversed(self.changes.get(number, ()))), self)
        finally:
            signal.signal(number, signal.SIG_DFL)


detector = Signals()
