"""Which tasks does trio run, where do they wait, and how is the main one made to go on?

trio's runner is found on the stack of the thread that runs it, or, in guest mode, of the thread that waits
for events on its behalf.  Nothing is read through trio's own API, which only its own thread may call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import CodeType, FrameType
from typing import Any, NoReturn

from pytest_taskleak.adapt.awaiting import links
from pytest_taskleak.adapt.code import USER, kind_of
from pytest_taskleak.adapt.running import stack
from pytest_taskleak.safely import attribute, is_a

CORE = "trio._core._run"


def runner_in(top: FrameType | None) -> Any:
    """Return trio's runner that a stack runs or works for, `None` if there is none."""
    core: Any = sys.modules.get(CORE)
    kind = getattr(core, "Runner", None)
    for frame in stack(top) if kind is not None else ():
        if frame.f_globals is vars(core):
            names = frame.f_locals
            for found in (names.get("runner"), names.get("self"), attribute(names.get("self"), "runner")):
                if is_a(found, kind):
                    return found
    return None


def runner_for(ident: int, tops: Mapping[int, FrameType]) -> Any:
    """Return the runner on which a thread's code depends: its own, or a guest's.

    Parameters:
        ident: the thread.
        tops: ident -> innermost frame.
    """
    own = runner_in(tops.get(ident))
    found = (runner_in(top) for top in tops.values())
    return own or next((runner for runner in found if runner is not None and runner.is_guest), None)


def tasks_of(runner: Any) -> list[Any]:
    """Return the tasks of a runner that run code of the user; trio's own are left out."""
    try:
        every = list(runner.tasks)
    except RuntimeError:  # another one was born just now
        return []
    return [task for task in every if any(kind_of(code.co_filename) == USER for code, _ in places(task))]


def places(task: Any) -> list[tuple[CodeType, int]]:
    """Return (code, line) of the frames of a task, the outermost first."""
    return [(frame.f_code, frame.f_lineno or 0) for frame in links(attribute(task, "coro"))]


def waits_for(task: Any) -> tuple[str, tuple[CodeType, int] | None]:
    """Return what a task waits for, as "trio.Event.wait()", and the user's line that does."""
    frames = list(links(attribute(task, "coro")))
    own = [at for at, frame in enumerate(frames) if kind_of(frame.f_code.co_filename) == USER]
    if not own:
        return "", None
    last = frames[own[-1]]
    inner = frames[own[-1] + 1 :]
    package = str(inner[0].f_globals.get("__name__", "")).partition(".")[0] if inner else ""
    what = f"{package}.{inner[0].f_code.co_qualname}()" if inner else ""
    return what, (last.f_code, last.f_lineno or 0)


def throw(runner: Any, make: Callable[[], BaseException | None]) -> bool:
    """Let an exception come up in the main task of a runner where it waits, as trio does with Ctrl-C.

    May be called from any thread; returns whether the runner takes it.

    Parameters:
        runner: trio's.
        make: called in the runner's thread; returns the exception, or `None` if it is too late.
    """
    try:
        runner.entry_queue.run_sync_soon(_abort, runner, make)
    except Exception:  # noqa: BLE001 -- it has ended, or is not what it was
        return False
    return True


def _abort(runner: Any, make: Callable[[], BaseException | None]) -> None:
    task = runner.main_task
    if task is None or runner.main_task_outcome is not None or task._abort_func is None:
        return
    failure = make()
    if failure is None:
        return

    def raise_it() -> NoReturn:
        raise failure

    task._attempt_abort(raise_it)
