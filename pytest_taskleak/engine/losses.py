"""What was lost: an exception nobody retrieved, a coroutine nobody awaited, a task destroyed pending.

A loss is an event.  It may come up inside the garbage collector, in any thread and in the middle of
any code, so that nothing is done then but to append plain strings to a queue: no import, no lock, no
log.  The queue is emptied when a scope closes.
"""

from __future__ import annotations

import dis
import gc
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import Context
from types import CodeType, FrameType
from typing import Any

from pytest_taskleak.adapt import dropping
from pytest_taskleak.adapt.dropping import Place
from pytest_taskleak.detectors.base import Ending, EndingOf, Lose, Record
from pytest_taskleak.engine import births, owner
from pytest_taskleak.engine.explaining import told
from pytest_taskleak.engine.owner import OWNER, Scope
from pytest_taskleak.model import BIRTH, Finding, Resource


class Losses:
    """The losses that nobody has looked at yet."""

    def __init__(self) -> None:
        self.queue: deque[tuple[str, Resource, Any, Place | None, str]] = deque()
        self.collecting: int | None = None

    def collector(self, phase: str, _: dict[str, int]) -> None:
        """Note in which thread the collector runs; called by `gc` itself."""
        self.collecting = threading.get_ident() if phase == "start" else None

    def install(self) -> None:
        """Begin to see when the collector runs."""
        gc.callbacks.append(self.collector)

    def uninstall(self) -> None:
        """Stop, and forget what nobody has looked at."""
        if self.collector in gc.callbacks:
            gc.callbacks.remove(self.collector)
        self.collecting = None
        self.queue.clear()


LOSSES = Losses()


class Recording:
    """Hands out the functions by which detectors write down births and losses.

    Parameters:
        tied: things of the detector's kind do not outlive their loop.
        ended: called with a kind, things of it and how their loop ends.
    """

    def __init__(
        self, *, tied: bool = False, ended: Callable[[str, Iterable[Any], Ending], None] | None = None
    ) -> None:
        self.tied = tied
        self.ended = ended

    def __call__(self, kind: str, *, mark: bool) -> Record:
        """Return the recorder of a kind."""
        return births.recorder(kind, mark=mark, tied=self.tied)

    def endings(self, kind: str) -> EndingOf:
        """Return the function to call before a loop of another library than asyncio ends."""

        def ending(things: Iterable[Any], how: Ending) -> None:
            if owner.watches and self.ended is not None:
                self.ended(kind, things, how)

        return ending

    def losses(self, kind: str) -> Lose:
        """Return the function that writes down what was lost of a kind."""

        def lose(
            resource: Resource,
            *,
            thing: Any = None,
            future: Any = None,
            context: Context | None = None,
            frame: FrameType | None = None,
            name: str = "",
        ) -> None:
            if not owner.watches:
                return
            birth, place = stamp(thing) or in_context(context), None
            if birth is None:
                birth, place = here(frame)
            LOSSES.queue.append((kind, resource, birth or on_loop(future), place, name))

        return lose


def stamp(thing: Any) -> Any:
    """Return the birth record that a thing carries, without asking code of the user for it."""
    try:
        birth = object.__getattribute__(thing, BIRTH)
    except AttributeError:
        return None
    return birth if type(birth) is tuple else None


def in_context(context: Context | None) -> Any:
    """Return a birth record that names the owner whose context this is."""
    scope = None if context is None else context.get(OWNER)
    return None if scope is None else (scope, (), (), False)


def here(frame: FrameType | None) -> tuple[Any, Place | None]:
    """Return a birth record of the running code and the place where it drops something.

    There is none while the collector runs: the code that it interrupts may be anybody's.
    """
    if LOSSES.collecting == threading.get_ident():
        return None, None
    frame = dropping.dropping(frame)
    birth = in_context(dropping.step_of(frame))
    if birth is not None:
        return birth, None
    frames, mine, _ = births.walk(frame)
    place = None if frame is None else (frame.f_code, frame.f_lasti)
    return (owner.current(), frames if mine else (), (), mine), place  # a library did not make it


def on_loop(future: Any) -> Any:
    """Return the birth record of the loop that a future belongs to."""
    return None if future is None else stamp(future.get_loop())


def called(code: CodeType | None, name: str) -> tuple[Any, ...]:
    """Return (code, offset) of the one place where some code names `name`, or nothing."""
    if code is None or not names(code, name):
        return ()
    found = [x for x in dis.get_instructions(code) if x.argval == name and x.opname.startswith("LOAD")]
    return (code, found[0].offset) if len(found) == 1 else ()


def names(code: CodeType, name: str) -> bool:
    """Tell whether some code names `name`."""
    return bool(name) and name in (*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars)


def made(birth: Any, place: Place | None, name: str, code: CodeType | None) -> bool:
    """Tell whether the code that dropped a thing is known to have made it, or its owner has.

    Parameters:
        birth: the record of the code that dropped it.
        place: where it was dropped, if only that tells whose it is.
        name: what is called to make it.
        code: the code of the test or fixture that is to be charged.
    """
    if place is None:
        return True
    if dropping.harness(place):
        return False
    if not dropping.taken(place):
        return True
    return any(names(x, name) for x in (*birth[1][::2], code) if x is not None)


def charge(losses: Losses, watch: Any) -> list[Finding]:
    """Write each loss under the scope that made what was lost; return those of nobody in particular.

    Parameters:
        losses: what to look through.
        watch: the session of watching that asks.
    """
    unowned: list[Finding] = []
    while losses.queue:
        loss = losses.queue.popleft()
        try:
            found, scope = whose(loss, watch)
        except Exception:  # noqa: BLE001 -- a fault of the watcher must not become the user's
            watch.faults.append(f"TL901 a loss could not be told:\n{traceback.format_exc()}")
            continue
        if found is None:
            continue
        mine = scope.watch
        if scope.kind == "session":
            (unowned if mine is watch else mine.unowned).append(found)
            continue
        with mine.lock:
            scope.findings.append(found)
        if scope.closed and scope not in mine.late:
            mine.late.append(scope)
    return unowned


def whose(loss: tuple[str, Resource, Any, Place | None, str], watch: Any) -> tuple[Finding | None, Scope]:
    """Return the finding that a loss becomes, if anybody wants to know, and the scope to charge."""
    kind, resource, birth, place, name = loss
    scope: Scope = birth[0] if birth is not None and birth[0] is not None else watch.session
    if not scope.watch.awake:
        scope = watch.session
    mine = scope.watch
    code = mine.code_of(scope)
    if not made(birth, place, name, code):
        scope, birth = mine.session, None
    detector = mine.detectors.get(kind)
    policy = mine.policy_of(scope)
    if detector is None or policy.mode == "off" or kind not in policy.detect:
        return None, scope
    if birth is not None and not birth[3] and (guess := called(code, name)):
        birth = (scope, guess, (), True)
    return told(detector, resource, birth, scope, mine.root), scope
