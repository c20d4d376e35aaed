"""Is it certain that the thread which runs the tests never goes on?

For a task the proof tells.  For a thread the stacks of two looks must tell the same: it is on a circle of
threads that wait for each other, or it waits inside of the process and nothing is left that could wake it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Collection, Iterable
from typing import Any

from pytest_taskleak import timing
from pytest_taskleak.adapt import os_threads, processes, running
from pytest_taskleak.adapt.standing import all_standing
from pytest_taskleak.explain import threads
from pytest_taskleak.explain.proof import prove
from pytest_taskleak.explain.timers import cancelled

PROVEN = "as is proven: nothing alive can wake it"
BY_STACKS = "as the stacks of the threads show: they wait for each other"
BY_ITSELF = "as the stacks of the threads show: it waits for itself"
ALONE = "as nothing is left that could wake it: no other thread, no child process, no timer"
INSIDE = ("lock", "rlock", "event", "condition", "semaphore", "barrier", "queue", "join")
"""Waits that only code of this process can end."""
APART = 0.5
"""Seconds between two looks at the stacks."""


def never_ends(ident: int) -> str:
    """Return why a thread never goes on, or an empty string where that is not certain.

    Parameters:
        ident: the thread; called from another one.
    """
    top = running.frames().get(ident)
    turning = running.turning(top)
    if turning is not None and running.is_idle(top):
        return PROVEN if is_stuck(*turning) else ""
    del top
    first = by_stacks(ident)
    if not first:
        return ""
    timing.pause(APART)
    return first if by_stacks(ident) == first else ""


def is_stuck(loop: Any, main: Any) -> bool:
    """Tell whether the task for which an idle loop turns is proven stuck, and all that it awaits."""
    if main is None:
        return False
    tasks = running.tasks_of(loop)
    task = running.test_of(loop, main)
    proofs = prove(tasks, awake=cancelled(tasks))
    proof = proofs.get(id(task))
    return proof is not None and proof.verdict == "stuck"


def by_stacks(ident: int) -> str:
    """Return what the stacks of all threads show of one."""
    standings = all_standing(skip=(threading.get_ident(),))
    standing = standings.get(ident)
    if standing is None or standing.timed:
        return ""
    sure = {i: found for i, found in standings.items() if found.sure}
    circle = next((c for c in threads.cycles(sure) if ident in c), [])
    if circle == [ident] or ident in threads.self_blocked(sure):
        return BY_ITSELF
    if circle:
        return BY_STACKS
    return ALONE if standing.kind in INSIDE and is_alone(ident, standings) else ""


def is_alone(ident: int, standings: Collection[int]) -> bool:
    """Tell whether no thread, child process, timer or handler is left that could do anything."""
    names = running.threads()
    others = [i for i in standings if i != ident and not running.name_of(i, names).startswith("taskleak-")]
    if others or os_threads.unknown():
        return False
    if any(child.look() != processes.GONE for child in list(processes.CHILDREN.values())):
        return False
    return not has_timers() and not has_handlers(signal.valid_signals())


def has_timers() -> bool:
    """Tell whether an interval timer of the process is armed."""
    kinds = [getattr(signal, name, None) for name in ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF")]
    return any(signal.getitimer(kind)[0] for kind in kinds if kind is not None)


def has_handlers(numbers: Iterable[Any]) -> bool:
    """Tell whether somebody handles a signal in Python, but for the interpreter's own Ctrl-C."""
    handlers = (signal.getsignal(number) for number in numbers)
    return any(callable(x) and x is not signal.default_int_handler and not is_ours(x) for x in handlers)


def is_ours(handler: Any) -> bool:
    """Tell whether a handler of a signal is the watcher's."""
    return str(getattr(handler, "__module__", "")).startswith("pytest_taskleak.")
