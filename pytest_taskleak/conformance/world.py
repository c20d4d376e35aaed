"""In which world is a detector tried?  In one of its own, where nobody else watches."""

from __future__ import annotations

import contextlib
import gc
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any, Self

from pytest_taskleak.adapt.code import LIBRARY, USER, kind_of
from pytest_taskleak.detectors import built_in
from pytest_taskleak.detectors.base import Detector
from pytest_taskleak.engine import owner
from pytest_taskleak.engine.closing import begin
from pytest_taskleak.engine.explaining import fold, told
from pytest_taskleak.engine.losses import LOSSES
from pytest_taskleak.engine.owner import OWNER, Scope
from pytest_taskleak.engine.patch import PATCHES
from pytest_taskleak.engine.settle import Leftover, settle
from pytest_taskleak.engine.watch import Watch
from pytest_taskleak.judge.policy import Policy
from pytest_taskleak.model import Finding, Resource

Make = Callable[[], contextlib.AbstractContextManager[Any]]
GRACE = 0.05


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let every other watch rest: its patches are lifted, and put back as they were."""
    if owner.watches:
        gc.collect()  # what others lost must be told while they still listen
    resting, lost = owner.watches[:], [*LOSSES.queue]
    names = PATCHES.noticer.names
    with PATCHES.lock:
        before = {name: value for name, value in vars(PATCHES).items() if name != "lock"}
        lifted = []
        for installed in reversed(PATCHES.installed.values()):
            if vars(installed.target).get(installed.attribute) is installed.ours:
                installed.undo()
                lifted.append(installed)
        vars(PATCHES).update(users=0, table=[], seen=[], installed={}, modules=0)
    owner.watches.clear()
    token = OWNER.set(None)
    try:
        yield
    finally:
        OWNER.reset(token)
        owner.watches[:] = resting
        with PATCHES.lock:
            vars(PATCHES).update(before)
            PATCHES.noticer.names = names
            for installed in reversed(lifted):
                if vars(installed.target).get(installed.attribute, installed.before) is installed.before:
                    setattr(installed.target, installed.attribute, installed.ours)
        LOSSES.queue.extendleft(reversed(lost))


@dataclass
class Trial:
    """What is tried.

    Parameters:
        detector: the kind.
        leak: makes a thing, yields it, unmakes it.
        innocent: makes a thing and ends it properly.
        caller: the frames that were running when the kit was called, the nearest first.
        event: the kind tells of losses or of growth: there is no thing to look at.
        plain: the type of what `leak` yields while nobody watches, unless it needs the watch.
    """

    detector: Detector
    leak: Make
    innocent: Make
    caller: list[CodeType] = field(default_factory=list)
    event: bool = False
    plain: type | None = None

    @property
    def kind(self) -> str:
        """The kind's word."""
        return self.detector.kind

    def hidden(self) -> bool:
        """Tell whether births pass over the file of `leak`, as over those of this package."""
        code = getattr(inspect.unwrap(self.leak), "__code__", None)
        return code is not None and kind_of(code.co_filename) not in (USER, LIBRARY)


class World:
    """A watch in which one kind is judged, among the built-in ones.

    Parameters:
        trial: what is tried.
    """

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.detector = trial.detector
        others = [d for d in built_in() if d.kind != trial.kind]
        policy = Policy(detect=frozenset({trial.kind}), grace=GRACE)
        self.watch = Watch([*others, self.detector], policy, name="check_detector")
        self.scopes: list[Scope] = []
        self.before: dict[Scope, Any] = {}
        self.watch.fixtures = lambda: self.scopes

    def start(self) -> None:
        """Begin to watch."""
        begin(self.watch)

    def stop(self) -> None:
        """Stop watching, with nothing lost that nobody has looked at."""
        self.watch.charge()
        self.watch.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def open(self, name: str) -> Scope:
        """Begin a scope, as a test begins."""
        scope = Scope("block", name, parent=self.watch.session, watch=self.watch)
        self.scopes.append(scope)
        if self.detector.measured:
            self.before[scope] = self.detector.snapshot()
        self.watch.enter(scope)
        for opened in self.watch.openers:
            opened()
        return scope

    def left(self, scope: Scope) -> list[Leftover]:
        """Return what lives of a scope, without what is told under another thing."""
        return [item for item, _ in fold(self.watch.live(scope, self.watch.policy), lambda _: None)]

    def thing(self, scope: Scope, made: Any) -> Any:
        """Return what was recorded of what a leak has made: the thing, or what stands for it."""
        return next((item.thing for item in self.left(scope) if self.stands_for(item.thing, made)), made)

    def stands_for(self, thing: Any, made: Any) -> bool:
        """Tell whether what was recorded is what a leak has made, or names it as its keeper."""
        return thing is made or any(x is made for x in self.detector.keeper(thing))

    def lost(self, scope: Scope) -> list[Finding]:
        """Return what was lost of a scope, and what has grown in it."""
        self.watch.charge()
        return [found for found in scope.findings if found.kind == self.trial.kind] + self.grown(scope)

    def grown(self, scope: Scope) -> list[Finding]:
        """Return what has grown since a scope began, if the kind is measured."""
        if scope not in self.before:
            return []
        more: Iterable[Resource] = self.detector.grown(self.before[scope], self.detector.snapshot())
        return [told(self.detector, resource, None, scope, "") for resource in more]

    def found(self, scope: Scope) -> int:
        """Return how much there is to tell of a scope."""
        return len(self.left(scope)) + len(self.lost(scope))

    def births(self, scope: Scope, thing: Any) -> int:
        """Return how often the birth of a thing was written down."""
        entries = scope.births.get(self.detector.source or self.trial.kind, ())
        return sum(entry() is thing for entry in tuple(entries))

    def settle(self, scope: Scope) -> None:
        """Give what is left of a scope the time in which it could end by itself."""
        settle(lambda: self.watch.live(scope, self.watch.policy), self.watch.grant(self.watch.policy))

    def close(self, scope: Scope) -> tuple[Finding, ...]:
        """End a scope, as a test ends; return what is told of the kind."""
        self.scopes.remove(scope)
        findings = [*self.watch.close(scope).findings, *self.grown(scope)]
        self.watch.enter(self.watch.session)
        return tuple(found for found in findings if found.kind == self.trial.kind)

    def fault(self) -> str:
        """Return what the detector raised while the watch asked it, if anything."""
        if self.trial.kind in self.watch.detectors:
            return ""
        return self.watch.faults[-1].strip().rpartition("\n")[2]


def running() -> list[CodeType]:
    """Return the code that called this, the nearest first."""
    frame: FrameType | None = sys._getframe(1)
    found = []
    while frame is not None:
        found.append(frame.f_code)
        frame = frame.f_back
    return found
