"""How does a detector behave towards a thing that ends, and how does it end one?"""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from pytest_taskleak.conformance.world import Make, Trial, World
from pytest_taskleak.detectors.base import Detector
from pytest_taskleak.engine import concluding
from pytest_taskleak.engine.outcome import Outcome
from pytest_taskleak.engine.owner import Scope
from pytest_taskleak.engine.reap import BOUND
from pytest_taskleak.engine.settle import Budget, Leftover, settle


def questions(detector: Detector) -> list[tuple[str, Callable[[Any], Any]]]:
    """Return what a detector may be asked about a thing, in the order in which it is asked."""
    return [
        ("alive", detector.alive),
        ("loop", detector.loop),
        ("patience", detector.patience),
        ("passing", lambda thing: detector.passing(thing, 0.0)),
        ("wait", lambda thing: detector.wait(thing, 0.0)),
        ("parts", lambda thing: list(detector.parts(thing))),
        ("keeper", lambda thing: list(detector.keeper(thing))),
        ("helper", detector.helper),
        ("idle", detector.idle),
        ("blocks_exit", detector.blocks_exit),
        ("describe", detector.describe),
        ("remove", detector.remove),
        ("insist", detector.insist),
    ]


def survives(trial: Trial) -> Iterator[str]:
    """D5: a thing may end between one question and the next; no answer raises then."""
    for name, ask in questions(trial.detector):
        with World(trial) as world:
            scope = world.open("owner")
            with trial.leak() as made:
                thing = world.thing(scope, made)
            try:
                ask(thing)
            except Exception as error:  # noqa: BLE001 -- it is what is looked for
                yield (
                    f"{name}() raises {type(error).__name__} ({error}) for a {trial.kind} that has just "
                    f"ended; answer as for one that is gone"
                )
            del made, thing


def lets_go(trial: Trial) -> Iterator[str]:
    """D6: a thing that was looked at, told and unmade can be collected."""
    with World(trial) as world:
        world.open("owner")
        with trial.leak() as made:
            real = trial.plain is not None and issubclass(type(made), trial.plain)
        del made
    kept = real and can_be_referred_to(trial.plain) and outlives(trial.leak, lambda _: None)
    if kept:
        yield (
            f"the {trial.kind} of `leak` lives on even where nobody watches, so that nothing can be proven; "
            f"let `leak` drop what it made"
        )
        return
    with World(trial) as world:
        scope = world.open("owner")
        if outlives(trial.leak, lambda _: conclude(world, scope)):
            yield (
                f"a {trial.kind} that was unmade and dropped is kept alive by the detector; keep weak "
                f"references (weakref.ref, WeakSet) or plain strings"
            )


def can_be_referred_to(kind: type | None) -> bool:
    """Tell whether objects of a type allow weak references."""
    return kind is not None and kind.__weakrefoffset__ != 0


def outlives(leak: Make, look: Callable[[Any], object]) -> bool:
    """Tell whether a thing is still there after it was looked at, unmade, dropped and collected."""
    with leak() as made:
        look(made)
        ref = weakref.ref(made)
        del made
    gc.collect()
    return ref() is not None


def conclude(world: World, scope: Scope) -> None:
    """Tell what is left of a scope, and remove nothing."""
    concluding.conclude(world.watch, scope, world.watch.policy, lambda _: Outcome())


def removes(trial: Trial) -> Iterator[str]:
    """D10: who says that a thing is worth waiting for ends it; nothing is told twice."""
    detector, promise = trial.detector, ""
    with World(trial) as world:
        scope = world.open("owner")
        manager = trial.leak()
        thing = world.thing(scope, manager.__enter__())
        try:
            world.watch.finish(scope)
            conclude(world, scope)
            for name, ask in (("remove", detector.remove), ("insist", detector.insist)):
                if detector.alive(thing) and ask(thing):
                    promise = f"{name}()"
                    wait_for(detector, thing)
            resists = detector.alive(thing)
            again = [*world.close(scope), *world.close(world.open("next"))]
        finally:
            error = leave(manager)
    if promise and resists:
        yield (
            f"{promise} says that a {trial.kind} is worth waiting for, but it lives on; let alive() "
            f"turn false when it has ended, or return False and leave it alone"
        )
    if again:
        yield (
            f"a {trial.kind} that was told and removed is told again; "
            f"remove() must not make or record another one"
        )
    if error is not None:
        yield (
            f"leaving `leak` (or plant()) raises {type(error).__name__} ({error}) after the {trial.kind} was "
            f"removed; unmake it only if it is still there"
        )


def wait_for(detector: Detector, thing: Any) -> None:
    """Give a thing that was asked to end the time that a session gives it."""

    def left() -> list[Leftover]:
        return [Leftover(detector, thing, None)] if detector.alive(thing) else []

    settle(left, Budget(BOUND), hope=False)


def leave(manager: contextlib.AbstractContextManager[Any]) -> Exception | None:
    """Leave what was entered; return what that raised."""
    try:
        manager.__exit__(None, None, None)
    except Exception as error:  # noqa: BLE001 -- told by the caller
        return error
    return None
