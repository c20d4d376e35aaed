"""Does a detector leave the program as it was, and in peace while there is nothing to see?"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Self

from pytest_taskleak.conformance.world import Trial, World
from pytest_taskleak.detectors.base import Detector, Patch
from pytest_taskleak.engine.losses import Recording

ABSENT = object()
SETUP = ("patches", "plant", "opened", "snapshot", "grown")


class Before:
    """What the targets of a detector's patches look like.

    Parameters:
        patches: the detector's patches.
    """

    def __init__(self, patches: list[Patch]) -> None:
        self.places = {
            (id(target), patch.attribute): (target, vars(target).get(patch.attribute, ABSENT))
            for patch in patches
            for target in patch.targets()
        }
        targets = {id(target): target for target, _ in self.places.values()}
        self.others = [(target, own_code(target)) for target in targets.values()]

    def changed(self) -> list[str]:
        """Name what is not as it was."""
        names = [
            f"{named(target)}.{attribute}"
            for (_, attribute), (target, value) in self.places.items()
            if vars(target).get(attribute, ABSENT) is not value
        ]
        for target, known in self.others:
            now = own_code(target)
            names += [f"{named(target)}.{n}" for n, value in known.items() if now.get(n) is not value]
        return list(dict.fromkeys(names))


def named(target: Any) -> str:
    """Return the name of a class or module."""
    return str(getattr(target, "__name__", type(target).__name__))


def own_code(target: Any) -> dict[str, Any]:
    """Return what a class or module holds that can be called."""
    holds = vars(target).items()
    return {name: value for name, value in holds if callable(value) or not isinstance(target, ModuleType)}


def undoes(trial: Trial) -> Iterator[str]:
    """D7: what was replaced is back when the last watch has ended, in whatever order they end."""
    before = Before([*trial.detector.patches(Recording())])
    with World(trial):
        pass
    names = before.changed()
    if not names:
        first, second = World(trial), World(trial)
        first.start()
        second.start()
        first.stop()
        second.stop()
        names = before.changed()
    for name in names:
        yield (
            f"{name} is not what it was before the watch; replace attributes by a Patch only, "
            f"and nothing in patches(), targets() or wrap() by hand"
        )


def passes_through(trial: Trial) -> Iterator[str]:
    """D8: a replacement that somebody has kept does nothing but what the original did."""
    places = Before([*trial.detector.patches(Recording())]).places.items()
    with World(trial) as world:
        world.open("owner")
        with trial.leak() as thing:
            usual = (type(thing), *filter(None, [trial.plain]))
        kept = [(target, name, vars(target).get(name, ABSENT)) for (_, name), (target, _) in places]
    spy = Spy(trial.detector)
    try:
        for target, name, replacement in kept:
            put(target, name, replacement)
        with spy, trial.leak() as thing:
            now = type(thing)
    except Exception as error:  # noqa: BLE001 -- it is what is looked for
        yield (
            f"a replacement that was kept raises {type(error).__name__} ({error}) when nobody watches any "
            f"more; call the original with everything that came, and return what it returns"
        )
        return
    finally:
        for (_, name), (target, original) in places:
            put(target, name, original)
    if not issubclass(now, usual):
        yield (
            f"a replacement that was kept makes {now.__name__} and not {usual[0].__name__} when nobody "
            f"watches any more; return what the original returns"
        )
    if spy.asked:
        yield (
            f"a replacement that was kept still calls {called(spy)} when nobody watches any more; "
            f"hand the thing to the recorder, which knows that, and do no more"
        )


def put(target: Any, name: str, value: Any) -> None:
    """Set an attribute, or take it away."""
    if value is not ABSENT:
        setattr(target, name, value)
    elif name in vars(target):
        delattr(target, name)


def rests(trial: Trial) -> Iterator[str]:
    """D9: a scope in which nothing of the kind is made asks the detector nothing."""
    with World(trial) as world, Spy(trial.detector) as spy:
        scope = world.open("idle")
        ordinary()
        births = sum(map(len, scope.births.values()))
        world.close(scope)
    if births:
        yield f"births are recorded although no {trial.kind} is made; record only what is of this kind"
    if spy.asked:
        yield (
            f"{called(spy)} was called for a scope in which no {trial.kind} is made; do all work on "
            f"births, and none on a clock, in a thread or while the collector runs"
        )


def ordinary() -> None:
    """Do what every test does."""

    class Thing:
        def method(self) -> int:
            return sum(len(str(number)) for number in range(100))

    Thing().method()
    gc.collect()


class Spy:
    """Counts what a detector is asked, but what sets it up.

    Parameters:
        detector: the kind.
    """

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.asked: dict[str, int] = {}
        self.before: dict[str, Any] = {}

    def __enter__(self) -> Self:
        held = vars(self.detector)
        self.before = dict(held)
        for name, value in vars(Detector).items():
            if callable(value) and name not in SETUP and not name.startswith("_"):
                held[name] = self.counting(name, getattr(self.detector, name))
        return self

    def __exit__(self, *_: object) -> None:
        held = vars(self.detector)
        for name in vars(Detector):
            if name in self.before:
                held[name] = self.before[name]
            else:
                held.pop(name, None)

    def counting(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method that counts its calls."""

        def method(*args: Any, **options: Any) -> Any:
            self.asked[name] = self.asked.get(name, 0) + 1
            return original(*args, **options)

        return method


def called(spy: Spy) -> str:
    """Name what was called."""
    return ", ".join(f"{name}()" for name in spy.asked)
