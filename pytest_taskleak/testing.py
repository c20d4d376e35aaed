"""How are a detector, a helper that starts tasks, and a service proven by contracts of their kind?"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

from pytest_taskleak.conformance.arguments import no_loop
from pytest_taskleak.conformance.contracts import ConformanceError, Failure, breaches
from pytest_taskleak.conformance.rules import broken
from pytest_taskleak.conformance.world import Make, Trial, World, alone, running
from pytest_taskleak.detectors.base import Detector

__all__ = ["ConformanceError", "Failure", "check_detector", "check_lifecycle", "check_spawner"]

ConformanceError.__module__ = Failure.__module__ = __name__  # the name by which a reader can import them


def check_detector(detector: Detector, *, leak: Make | None = None, innocent: Make | None = None) -> None:
    """Prove that a detector keeps to the rules by which the built-in ones are proven.

    The detector is tried with real things, in a watch of its own: in a test, also one that is watched
    itself, or outside of pytest.  Call it where no loop is running.

    Parameters:
        detector: an instance of the kind's class.
        leak: returns a context manager that makes one thing of the kind, yields it as a component would
            leave it behind, and unmakes it on leaving, also if it has ended by then. Where the detector
            records something that stands for the thing, either may be yielded. A kind that tells of
            losses (`recorder.losses`) yields `None` when the loss has happened. By default the detector's
            own `plant`; needed where that makes nothing.
        innocent: returns a context manager that makes a thing and ends it properly. By default `leak`,
            entered and left; needed where `leak` yields `None`.

    Raises:
        ConformanceError: the detector breaks rules; the message lists all of them, each with what to
            change. It is an `AssertionError`.
        TypeError: an argument is not what it must be.
        ValueError: `leak` or `innocent` is missing and needed.
        RuntimeError: a loop is running.
    """
    __tracebackhide__ = True
    caller = running()[1:]
    check_arguments(detector, leak, innocent)
    with alone():
        made = detector.plant if leak is None else leak
        trial = Trial(detector, made, made if innocent is None else innocent, caller)
        nothing = yields_nothing(trial, given=leak is not None)
        trial.event = nothing or detector.measured
        if nothing and innocent is None and not detector.measured:
            raise ValueError(
                "check_detector: innocent is needed where leak yields None; pass what makes a thing "
                "and ends it properly"
            )
        failures = broken(trial)
    if failures:
        raise ConformanceError(f"the detector of kind {detector.kind!r}", failures, kind=detector.kind)


def check_spawner(
    spawn: Callable[..., Any],
    *,
    name: str | None = "name",
    on_error: str | None = None,
    failures: Callable[..., Mapping[Any, int] | int] | None = None,
    around: Callable[..., AbstractAsyncContextManager[Any]] | None = None,
    awaited: bool = False,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    deadline: float = 5.0,
) -> None:
    """Prove that a helper which starts tasks keeps what is expected of such helpers.

    It is called as `spawn(coro, name=...)` again and again, on loops of its own.  Where other watches are
    under way they rest meanwhile, and nothing is left behind.  Call it where no loop is running.

    Parameters:
        spawn: the helper, a function or a coroutine function. What is proven of a task is left out where
            it returns no task, unless the one that it has made can be seen.
        name: the keyword for the task's name. A helper without it is tried without names; `None` says
            that it has none.
        on_error: the keyword for what is called with an error, of `spawn` or of `around`.
        failures: returns how many failures were counted, in all or by name.
        around: makes an async context manager, as `asyncio.TaskGroup`. It is entered around each trial, and
            what it yields is handed to `spawn` and `failures` first.
        awaited: whoever calls the helper awaits what it returns: errors that are raised there are not lost.
        loop_factory: makes the loops; `asyncio.new_event_loop` by default.
        deadline: seconds of the loop's clock that a call, and the end of a coroutine, may take.

    Raises:
        ConformanceError: the helper breaks rules; the message lists all of them, each with what to change.
            It is an `AssertionError`.
        TypeError: an argument is not what it must be.
        ValueError: the helper has no parameter of that name, or the deadline is none.
        RuntimeError: a loop is running.
    """
    __tracebackhide__ = True
    from pytest_taskleak.conformance.spawner_rules import SPAWNER, spawner

    no_loop("check_spawner")
    trial = spawner(
        spawn,
        name=name,
        on_error=on_error,
        failures=failures,
        around=around,
        awaited=awaited,
        loop_factory=loop_factory,
        deadline=deadline,
    )
    with alone(), unwarned():
        broken_rules = breaches(SPAWNER, trial)
        gc.collect()  # what was made on purpose must not come to light in somebody else's watch
    if broken_rules:
        raise ConformanceError(f"the helper {called(spawn)}()", broken_rules)


def check_lifecycle(
    Service: Callable[[], Any],  # noqa: N803 -- a class, as a rule
    *,
    start: str = "start",
    stop: str = "stop",
    tg: str | None = "tg",
    start_twice: Literal["ok", "error"] | None = None,
    stop_first: Literal["ok", "error"] = "ok",
    restart: Literal["ok", "error"] = "ok",
    failing: Callable[[], Any] | Sequence[Callable[[], Any]] = (),
    alive: Callable[[Any], bool | Awaitable[bool]] | None = None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    deadline: float = 5.0,
) -> None:
    """Prove that what is started and stopped can be so in every order, and leaves nothing behind.

    Each order is tried with a new service, on a loop and in a watch of its own, with real timers.  Both
    methods may be plain functions or coroutine functions.  Where other watches are under way they rest
    meanwhile.  Call it where no loop is running.

    Parameters:
        Service: the class, or a function without arguments that makes a service. Without `start` and
            `stop` it may be a context manager; the rules that need a second call are left out then.
        start: the name of the method that starts it.
        stop: the name of the method that stops it.
        tg: the keyword by which `start` takes an `asyncio.TaskGroup`. If it has one, all is tried with a
            group, and also without where it can be left out.
        start_twice: what a second `start` must do: `"ok"`, nothing; `"error"`, raise. Either by default.
        stop_first: what `stop` must do before any `start`.
        restart: what `start` must do after `stop`.
        failing: makes a service whose `start` fails; or several such functions.
        alive: tells of a service, or of what was made of it, whether it lives.
        loop_factory: makes the loops; `asyncio.new_event_loop` by default.
        deadline: seconds that each call may take.

    Raises:
        ConformanceError: rules are broken; the message lists all of them, each with the calls, what was
            left and what to change. It is an `AssertionError`.
        TypeError: an argument is not what it must be.
        ValueError: an argument is none of the words that are allowed, or the deadline is none.
        RuntimeError: a loop is running.
    """
    __tracebackhide__ = True
    from pytest_taskleak.conformance.lifecycle_rules import LIFECYCLE, left_out, lifecycles

    no_loop("check_lifecycle")
    broken_rules: list[Failure] = []
    with alone(), unwarned():
        names, does = (start, stop, tg), (start_twice, stop_first, restart)
        for trial in lifecycles(Service, names, does, failing, alive, loop_factory, deadline):
            told = {failure.rule for failure in broken_rules}
            broken_rules += breaches(LIFECYCLE, trial, left_out=(*left_out(trial), *told))
        gc.collect()  # see check_spawner
    if broken_rules:
        raise ConformanceError(f"the service {called(Service)}", broken_rules)


@contextlib.contextmanager
def unwarned() -> Iterator[None]:
    """Keep what was left open by what is tried from being warned of once more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield


def called(thing: Any) -> str:
    """Return the name of what was handed in."""
    name: str = getattr(thing, "__qualname__", type(thing).__qualname__)
    return name.rpartition("<locals>.")[2]


def check_arguments(detector: object, leak: object, innocent: object) -> None:
    """Say which argument is none that can be tried."""
    if not isinstance(detector, Detector):
        hint = "; make an instance of it" if isinstance(detector, type) else ""
        raise TypeError(
            f"check_detector: detector must be an instance of a class that derives from "
            f"pytest_taskleak.detectors.base.Detector - got {detector!r}{hint}"
        )
    kind: object = detector.kind
    if not isinstance(kind, str) or not kind:
        raise ValueError(f"check_detector: the detector's kind must be a word - got {kind!r}")
    for name, value in (("leak", leak), ("innocent", innocent)):
        entered = isinstance(value, contextlib.AbstractContextManager)
        if value is not None and (entered or not callable(value)):
            hint = "; hand in what makes it, without calling it" if entered else ""
            raise TypeError(
                f"check_detector: {name} must be a callable that returns a context manager - "
                f"got {value!r}{hint}"
            )
    no_loop("check_detector")


def yields_nothing(trial: Trial, *, given: bool) -> bool:
    """Tell whether `leak` yields `None`; it and `innocent` are tried once, before any rule.

    Parameters:
        trial: what is tried.
        given: `leak` is not the detector's own.
    """
    made, trial.plain = tried(trial, "leak", trial.leak)
    tried(trial, "innocent", trial.innocent)
    if made is type(None) and not given:
        raise ValueError(
            f"check_detector: plant() of {trial.kind!r} yields None; pass leak=..., what makes one thing, "
            f"yields it and unmakes it (or yields None, if the kind tells of losses or of growth)"
        )
    return made is type(None)


def tried(trial: Trial, name: str, make: Make) -> tuple[type, type | None]:
    """Make a thing and unmake it while nobody watches, or at least in a watch; return its types there."""
    manager: object = make()
    if not isinstance(manager, contextlib.AbstractContextManager):
        raise TypeError(f"check_detector: {name} must return a context manager - got {manager!r}")
    try:
        with manager as thing:
            return type(thing), type(thing)
    except Exception:  # noqa: BLE001 -- what is made of the detector's own records needs the watch
        with World(trial) as world:
            world.open("owner")
            with make() as thing:
                return type(thing), None
