"""Does a detector see what it should, say what that is, and charge the right owner?"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from types import CodeType
from typing import Any

from pytest_taskleak.adapt.code import LIBRARY, USER, kind_of
from pytest_taskleak.conformance.world import Make, Trial, World, running
from pytest_taskleak.detectors.base import Detector, Ending
from pytest_taskleak.explain.birth import birth_of, shorten
from pytest_taskleak.model import Frame, Resource

ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{4,}")
LONGEST_LABEL = 9
ENDINGS: tuple[Ending, ...] = ("cancel", "close")
PATIENCE = 10.0
"""Seconds that a thread of the kit gets to make its thing."""


def sees(trial: Trial) -> Iterator[str]:
    """D1: exactly the thing that was left behind is found, in its owner's scope."""
    kind = trial.kind
    with World(trial) as world:
        scope = world.open("owner")
        with trial.leak() as made:
            world.settle(scope)
            left, lost = world.left(scope), world.lost(scope)
            strange = bool(left) and not trial.event and not world.stands_for(left[0].thing, made)
            births = world.births(scope, world.thing(scope, made))
        if fault := world.fault():
            yield f"the detector raised while it looked at a leaked {kind}: {fault}"
            return
    if not left and not lost:
        yield (
            f"a {kind} that was left behind is not found in its owner's scope; record its birth in the "
            f"replacement of what makes it, and let alive() be true until it has ended"
        )
    elif len(left) + len(lost) > 1:
        yield (
            f"{len(left) + len(lost)} findings come of one {kind}; do not record what only helps it, "
            f"name in parts() what is told under it, and let `leak` make one"
        )
    elif strange:
        yield (
            f"what is found is another object than the {kind} that was left behind; record the thing that "
            f"`leak` yields, or return that in keeper() if what is recorded stands for it"
        )
    elif births > 1:
        yield f"the birth of one {kind} is written down {births} times; record it once"


def describes(trial: Trial) -> Iterator[str]:
    """D2: a finding has a code of the kind, a name, a state, a stable word for what it is, and a cure."""
    detector = trial.detector
    stable: list[tuple[str, str, str]] = []
    for first in (True, False):
        with World(trial) as world:
            scope = world.open("owner")
            with trial.leak() as made:
                if world.left(scope):
                    thing = world.thing(scope, made)
                    resource, source = detector.describe(thing), "describe()"
                    if first:
                        yield from looks(detector, thing)
                else:
                    resource, source = world.lost(scope)[0].resource, "what is lost"
        wrong = list(words(detector, resource, source))
        if wrong:
            yield from wrong
            return
        stable.append((resource.code, resource.module, resource.what))
    if stable[0] != stable[1]:
        yield (
            f"code, module and what of two equal leaks differ, {stable[0]} and {stable[1]}; they are part "
            f"of the fingerprint: put what changes into name, state or details"
        )
    for ending in ENDINGS:
        yield from words(detector, detector.ended(resource, ending), f"ended(..., {ending!r})")
    yield from words(detector, detector.resisting(resource), "resisting()")


def words(detector: Detector, resource: Any, source: str) -> Iterator[str]:
    """Yield what is wrong with what a detector tells."""
    if not isinstance(resource, Resource):
        yield f"{source} returns {type(resource).__name__}; return a pytest_taskleak.model.Resource"
        return
    if resource.code not in detector.codes:
        yield f"{source} tells code {resource.code!r}, which has no page; add it to codes"
    for part in ("name", "what", "state"):
        text: object = getattr(resource, part)
        if not isinstance(text, str) or not text.strip():
            yield f"{source} tells no {part} (it is {text!r}); it must be a text"
        elif ADDRESS.search(text):
            yield f"{source} tells an address in {part} ({text!r}); it changes with every run, leave it out"
    for pair in resource.details:
        if len(pair[0]) > LONGEST_LABEL:
            yield f"{source} has the label {pair[0]!r} in details; use at most {LONGEST_LABEL} letters"
    advice: object = detector.advice(resource)
    if not isinstance(advice, str) or not advice.strip():
        yield f"advice() of {source} is {advice!r}; it must be one line that tells the cure"


def looks(detector: Detector, thing: Any) -> Iterator[str]:
    """Yield what is wrong with the other answers about a living thing."""
    if not any(x is thing for x in detector.keeper(thing)):
        yield "keeper() does not name the thing itself; return (thing, *others)"
    seconds: object = detector.patience(thing)
    if not isinstance(seconds, int | float) or not seconds >= 0:
        yield f"patience() is {seconds!r}; it must be seconds, 0 or more"
    list(detector.parts(thing))


def names_the_line(trial: Trial) -> Iterator[str]:
    """D3: the birth names code of the leak, and none of the detector's own."""
    outer = running()
    with World(trial) as world:
        scope = world.open("owner")
        with trial.leak():
            births = [birth_of(item.birth) for item in world.left(scope)]
            births += [found.birth for found in world.lost(scope)]
    if trial.detector.measured:
        return  # nothing is born
    if not births:
        yield "a second leak is not seen; alive() must not depend on what was seen before"
        return
    named = [place(frame) for frame in (births[0].frames or births[0].ancestor)]
    if own := next((name for name in named[:1] if name in replacements(trial.detector)), None):
        yield (
            f"the birth names the detector's own {own[1]}; hand the recorder the frame of the caller: "
            f"record(thing, sys._getframe(1)) in the replacement itself"
        )
        return
    outside = {(shorten(code.co_filename, ""), code.co_qualname) for code in outer}
    if trial.hidden():
        asking = nearest(trial.caller)
        if asking is None:
            return  # typed into an interpreter: there is no line that could be named
        outside.discard(asking)
    if not any(name not in outside for name in named):
        where = f"{named[0][1]} ({births[0].frames[0]})" if births[0].frames else "no line"
        yield (
            f"the birth names {where} and not the code of `leak`; hand the recorder the frame of the "
            f"code that called the replaced function: record(thing, sys._getframe(1))"
        )


def place(frame: Frame) -> tuple[str, str]:
    """Return file and function of a frame."""
    return shorten(frame.path, ""), frame.qualname


def nearest(codes: list[CodeType]) -> tuple[str, str] | None:
    """Return the place of the nearest code that births do not pass over."""
    code = next((c for c in codes if kind_of(c.co_filename) in (USER, LIBRARY)), None)
    return None if code is None else (shorten(code.co_filename, ""), code.co_qualname)


def replacements(detector: Detector) -> set[tuple[str, str]]:
    """Return the places of a detector's own code, but what plants its leak."""
    found: set[tuple[str, str]] = set()
    for base in type(detector).__mro__:
        for name, value in vars(base).items():
            code = getattr(value, "__code__", None)
            todo = [code] if isinstance(code, CodeType) and name != "plant" else []
            while todo:
                one = todo.pop()
                found.add((shorten(one.co_filename, ""), one.co_qualname))
                todo += [inner for inner in one.co_consts if isinstance(inner, CodeType)]
    return found


def ignores_the_innocent(trial: Trial) -> Iterator[str]:
    """D4: what was ended properly is not told."""
    with World(trial) as world:
        scope = world.open("owner")
        with trial.innocent() as thing:
            pass
        found = world.close(scope)
        fault = world.fault()
        del thing  # held until here: that it is collected must not be what ends it
    if fault:
        yield f"the detector raised while it looked at a {trial.kind} that had ended: {fault}"
    elif found:
        yield (
            f"a {trial.kind} that was ended properly is told as {found[0].code} ({found[0].resource.state}); "
            f"alive() must be false as soon as it has ended"
        )


def spares_the_bystander(trial: Trial) -> Iterator[str]:
    """D11: what an open scope made is not told when another one closes."""
    with World(trial) as world:
        mine = world.open("owner")
        with trial.leak():
            bystander = world.open("bystander")
            blamed = world.close(bystander)
            kept = world.found(mine)
    if blamed:
        yield (
            f"a {trial.kind} of an open scope is told when another scope closes; record a birth when the "
            f"thing is made, and only then"
        )
    elif not kept:
        yield (
            f"a {trial.kind} is forgotten by its owner when another scope closes; "
            f"let alive() be true until it has ended"
        )


def sees_other_threads(trial: Trial) -> Iterator[str]:
    """D12: what another thread makes is charged to the thread's owner, or to who is running."""
    with World(trial) as world:
        first = world.open("owner of the thread")
        other = Apart(trial.leak)
        second = world.open("running")
        other.make()
        found = world.found(first) + world.found(second)
        other.unmake()
    if other.error is not None:
        plain = Apart(trial.leak)
        plain.make()
        plain.unmake()
        if plain.error is None:
            yield (
                f"making a {trial.kind} in another thread raises {other.error!r} because of the "
                f"replacement; call the original in any case"
            )
    elif not found and not (other.nothing and not trial.event):
        yield (
            f"a {trial.kind} that another thread made is not found; record births whatever the "
            f"thread is that they happen in"
        )


class Apart:
    """A thread of its own that makes a thing, and unmakes it when told.

    Parameters:
        leak: makes the thing.
    """

    def __init__(self, leak: Make) -> None:
        self.leak = leak
        self.error: BaseException | None = None
        self.nothing = False
        self.begin, self.made, self.end = threading.Event(), threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.run, name="check_detector", daemon=True)
        self.thread.start()

    def run(self) -> None:
        """Make the thing when it is time, and hold it."""
        self.begin.wait()
        try:
            with self.leak() as made:
                self.nothing = made is None
                del made
                self.made.set()
                self.end.wait()
        except BaseException as error:  # noqa: BLE001 -- told by the thread that asked
            self.error = error
        finally:
            self.made.set()

    def make(self) -> None:
        """Let the thread make its thing."""
        self.begin.set()
        self.made.wait(PATIENCE)

    def unmake(self) -> None:
        """Let the thread unmake its thing and end."""
        self.end.set()
        self.thread.join(PATIENCE)
