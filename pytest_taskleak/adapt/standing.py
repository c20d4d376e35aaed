"""Where does a running thread stand, and what does it wait for?

The outermost call into the standard library names the wait, and its `self` is the primitive.  A frame of the
user that stands in C is read by its source.  All of this is evidence of one moment, never a proof.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from pytest_taskleak.adapt import thread_waits as waits
from pytest_taskleak.adapt.code import LIBRARY, USER
from pytest_taskleak.adapt.expressions import MISSING, call_at, local, spelled
from pytest_taskleak.adapt.frames import current_frames
from pytest_taskleak.adapt.os_threads import os_state
from pytest_taskleak.adapt.thread_details import facts_of
from pytest_taskleak.adapt.thread_stacks import Look, Step, tail


@dataclass(slots=True, eq=False)
class Standing:
    """Where a thread stands; it keeps the user's objects and is to be dropped with the report.

    Parameters:
        kind: `lock`, `rlock`, `event`, `condition`, `semaphore`, `barrier`, `queue`, `join`, `future`,
            `socket`, `sleep`, `process`, `loop` (turns and is idle), `idle-worker`, `running` or `unknown`.
        what: the call that waits, as "threading.Lock.acquire()"; empty if it runs code of the user.
        thing: the primitive, `None` where it is not known.
        name: how the code that waits calls it, as "self.lock"; empty where that is not a plain name.
        detail: more of it, as "held by thread 'b' (with `A` at svc.py:125)".
        frames: (code, offset) of the user's frames, the outermost first; of all if none is the user's.
        holder: ident of the thread that holds it, is joined, or works on it.
        held_at: (code, offset) where the holder took it.
        calls_loop: the loop, if the wait is for what was handed to a loop.
        among: idents of all the threads any of which could end the wait: who has a permit, the busy pool.
        timed: the wait ends by itself.
        sure: nobody but the holder may end the wait: a plain lock that no `with` has taken may be a signal
            between threads, which anybody releases.
    """

    kind: str
    what: str = ""
    thing: Any = None
    name: str = ""
    detail: str = ""
    frames: list[tuple[CodeType, int]] = field(default_factory=list)
    holder: int | None = None
    held_at: tuple[CodeType, int] | None = None
    calls_loop: Any = None
    among: tuple[int, ...] = ()
    timed: bool = False
    sure: bool = True

    def __str__(self) -> str:
        return f"{self.what} of `{self.name}`" if self.name else self.what


def standing_of(ident: int, frames: Mapping[int, FrameType] | None = None) -> Standing | None:
    """Return where a thread stands, `None` if it does not run; never raises.

    Parameters:
        ident: the thread's ident.
        frames: ident -> innermost frame; taken now where none are given.
    """
    own = current_frames() if frames is None else None
    try:
        look = Look(own if own is not None else frames or {})
        return _standing(look, ident) if ident in look.frames else None
    finally:
        if own is not None:
            own.clear()


def all_standing(skip: Collection[int] = ()) -> dict[int, Standing]:
    """Return ident -> where it stands, for every thread; the main thread first, then by age.

    Parameters:
        skip: idents of threads that are not looked at, as that of a watchdog; what they hold is seen.
    """
    frames = current_frames()
    try:
        look = Look(frames)
        for ident in frames:
            look.stack(ident)  # all of them at once, before anything that takes time
        known = [i for i in list(getattr(threading, "_active", ())) if i in frames]
        idents = [*known, *sorted(set(frames) - set(known))]
        found = {ident: _standing(look, ident) for ident in idents if ident not in skip}
        _forget_moved(found, look)
        return found
    finally:
        frames.clear()


def _forget_moved(found: Mapping[int, Standing], look: Look) -> None:
    """Forget who could end a wait that has ended meanwhile: no circle is to be made of two moments."""
    now = current_frames()
    for ident, standing in found.items():
        top = look.stack(ident)[-1:]
        if now.get(ident) is not look.frames[ident] or any(x.frame.f_lasti != x.offset for x in top):
            standing.holder, standing.held_at, standing.among = None, None, ()
    now.clear()


def waits_for(ident: int | None) -> str:
    """Name the wait of a thread with its primitive, as "queue.Queue.get() of `jobs`"; empty if it runs."""
    found = None if ident is None else standing_of(ident)
    return "" if found is None else str(found)


def _standing(look: Look, ident: int) -> Standing:
    stack: list[Step] = []
    found = Standing("unknown")
    try:
        stack = look.stack(ident)
        if ident == threading.get_ident():
            found.kind = "running"
        elif stack:
            found = _seen(stack)
            _complete(found, look, ident)
    except Exception:  # noqa: BLE001 -- odd objects of the user, or a thread that moved on meanwhile
        pass
    found.frames = _users(stack)
    return found


def _complete(found: Standing, look: Look, ident: int) -> None:
    """Add who could end the wait, or what the system says where no wait is seen."""
    if found.kind in ("running", "unknown"):
        _ask_system(found, look.stack(ident)[-1], ident)
        return
    facts = facts_of(found.kind, found.thing, look, ident)
    if found.kind == "rlock" and facts.holder == ident:  # it has just got it, and waits for the interpreter
        found.kind = "running"
        return
    found.holder, found.held_at = facts.holder, facts.held_at
    found.calls_loop, found.among, found.sure = facts.calls_loop, facts.among, facts.sure
    found.detail = "; ".join(filter(None, (facts.text, found.detail)))


def _users(stack: list[Step]) -> list[tuple[CodeType, int]]:
    return [(s.code, s.offset) for s in stack if s.kind == USER] or [(s.code, s.offset) for s in stack]


def _seen(stack: list[Step]) -> Standing:
    """Tell the wait from the stack alone."""
    start = tail(stack)
    if waits.is_idle(stack, start):
        return Standing("idle-worker", waits.what_of(stack[-1].name), thing=_executor(stack[-1]))
    for at in range(start, len(stack)):
        step = stack[at]
        rule = waits.WAITS.get(step.name) or waits.FILES.get(step.name.partition(".")[0])
        rule = rule or waits.FILES.get(step.name.rpartition(".")[0])
        if rule is not None:
            found = _in_library(stack, at, *rule)
            return _inside(found, stack, start, at)
    return _inside(_in_c(stack[-1], stack, start), stack, start, len(stack))


def _in_library(stack: list[Step], at: int, kind: str, variable: str) -> Standing:
    step = stack[at]
    thing = local(step.frame, variable) if variable else None
    found = Standing(kind, waits.what_of(step.name), None if thing is MISSING else thing)
    found.timed = kind == "sleep" or waits.is_timed(step)
    if at and stack[at - 1].kind in (USER, LIBRARY):
        found.name = _receiver(stack[at - 1], step.code.co_name)
    if step.name == "threading.Condition.__enter__":
        found.kind, found.thing = waits.lock_of_condition(thing)
    elif kind == "condition" and waits.reacquires(stack[at:]):
        found.kind, found.thing = waits.lock_of_condition(thing)
        found.timed = False
    return found


def _receiver(step: Step, method: str) -> str:
    """Return what the calling frame calls the object whose method it calls or which it enters."""
    call = call_at(step.code, step.offset)
    if call is None:
        return ""
    if call.method == "__enter__":
        return spelled(call.tree)
    value = getattr(call.tree, "value", None)
    return spelled(value) if value is not None and call.method == method else ""


def _in_c(step: Step, stack: list[Step], start: int) -> Standing:
    made = waits.c_call(step)
    if made is None:
        return Standing("running")
    kind, what = waits.kind_of_call(made)
    if not kind or waits.never_waits(made, step.frame):
        what = "" if kind else what
        return Standing("running", what if start == len(stack) else "")
    found = Standing(kind, what, made.thing)
    if kind == "sleep":
        seconds = waits.number(made.call.args[0] if made.call.args else None, step.frame)
        found.what = what if seconds is None else f"time.sleep({seconds})"
    elif step.kind in (USER, LIBRARY) and made.thing is not None:
        tree = made.call.tree
        found.name = spelled(tree if made.call.method == "__enter__" else getattr(tree, "value", tree))
    found.timed = waits.call_is_timed(made, step.frame)
    return found


def _inside(found: Standing, stack: list[Step], start: int, at: int) -> Standing:
    """Add the outermost call into the standard library, where that is another than the wait."""
    if start < min(at, len(stack)) and found.kind != "loop":
        outermost = waits.what_of(stack[start].name)
        if found.what:
            found.detail = f"inside {outermost}"
        else:
            found.what = outermost
    return found


def _executor(step: Step) -> Any:
    reference = local(step.frame, "executor_reference")
    return None if reference is MISSING else reference()


def _ask_system(found: Standing, top: Step, ident: int) -> None:
    """Let the system tell a thread that is blocked in C from one that runs."""
    state = os_state(ident)
    if state is not None and state.blocked:
        found.kind = "unknown"
        found.detail = "; ".join(filter(None, (found.detail, f"in system call {state.call}")))
    elif top.kind in (USER, LIBRARY):
        found.what = ""
