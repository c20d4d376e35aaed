"""How is anybody's detector proven, with the same tests as the built-in ones?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from pytest_taskleak.conformance.rules import Failure, broken
from pytest_taskleak.conformance.world import Make, Trial, World, alone, running
from pytest_taskleak.detectors.base import Detector

__all__ = ["ConformanceError", "Failure", "check_detector"]

PAGE = "https://pytest-taskleak.readthedocs.io/en/latest/reference/testing.html"


class ConformanceError(AssertionError):
    """A detector does not keep to the rules of its kind.

    Attributes:
        kind: the word for its kind.
        failures: the rules that it breaks, in their order; each has `rule`, `title` and `advice`.
    """

    def __init__(self, kind: str, failures: Sequence[Failure]) -> None:
        self.kind = kind
        self.failures = tuple(failures)
        rules = len({failure.rule for failure in failures})
        lines = [f"the detector of kind {kind!r} breaks {rules} rule{'s' if rules != 1 else ''}:"]
        for failure in failures:
            lines += ["", f"{failure.rule}  {failure.title}", f"    {failure.advice}"]
            lines += [f"    {PAGE}#{failure.rule.lower()}"]
        super().__init__("\n".join(lines))


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
        raise ConformanceError(detector.kind, failures)


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
    if asyncio._get_running_loop() is not None:  # noqa: SLF001 -- documented
        raise RuntimeError("check_detector: a loop is running here; call it from a plain function")


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
