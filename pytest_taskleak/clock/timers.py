"""Which timers does a loop hold, when are they due, and to whom do they belong?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pytest_taskleak.adapt import asyncio_, futures
from pytest_taskleak.adapt.awaiting import frames_of
from pytest_taskleak.adapt.code import SKIP, kind_of, line_of
from pytest_taskleak.engine.owner import OWNER
from pytest_taskleak.loops.stats import seconds
from pytest_taskleak.safely import attribute, is_a


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that is armed.

    Parameters:
        due_in: virtual seconds from now.
        when: the loop's time at which it is due.
        callback: what it calls: "svc.Retry.again", or "sleep" and "timeout" for those of a task.
        created_at: "path:line", empty where that is not known.
        task: the name of the task that sleeps or is to time out; empty for a plain timer.
        test: the test or fixture on whose behalf it was made; empty where nobody watches.
        handle: the handle itself; `handle.cancel()` disarms it.
    """

    due_in: float
    when: float
    callback: str
    created_at: str
    task: str
    test: str
    handle: Any = field(repr=False, compare=False)

    def __str__(self) -> str:
        parts = [f"due in {seconds(self.due_in)}", self.callback]
        parts += [f"of task {self.task!r}"] if self.task else []
        parts += [f"made at {self.created_at}"] if self.created_at else []
        parts += [f"by {self.test}"] if self.test else []
        return ", ".join(parts)


def timers_of(loop: Any) -> list[Timer]:
    """Return the timers of a loop, the next one first."""
    now = loop.time()
    tasks = waiters_of(loop)
    return [timer_of(handle, now, tasks) for handle in asyncio_.scheduled(loop)]


def owned(loop: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each timer of a loop with the task that it belongs to, `None` if there is none."""
    tasks = waiters_of(loop)
    for handle in asyncio_.scheduled(loop):
        callback, args = asyncio_.handle_parts(handle)
        yield handle, owner_of(callback, args, tasks)[0]


def waiters_of(loop: Any) -> dict[int, Any]:
    """Return the id of the future that a task waits for -> the task, for the tasks of a loop."""
    return {id(asyncio_.waiter_of(task)): task for task in asyncio_.tasks_of(loop)}


def timer_of(handle: Any, now: float, tasks: dict[int, Any]) -> Timer:
    """Return what is known of one timer.

    Parameters:
        handle: it.
        now: the loop's time.
        tasks: the id of the future that a task waits for -> the task.
    """
    callback, args = asyncio_.handle_parts(handle)
    task, what = owner_of(callback, args, tasks)
    if not what:
        module, name = futures.describe(callback)
        what = f"{module}.{name}" if module else name
    when = handle.when()
    return Timer(
        due_in=max(0.0, round(when - now, 9)),
        when=float(when),
        callback=what,
        created_at=birth_of(handle, task),
        task=task.get_name() if task is not None else "",
        test=test_of(handle),
        handle=handle,
    )


def owner_of(callback: Any, args: tuple[Any, ...], tasks: dict[int, Any]) -> tuple[Any, str]:
    """Return the task that a timer belongs to, and what the task does with it."""
    thing = attribute(callback, "__self__")
    task = attribute(thing, "_task")  # asyncio.timeout
    if task is None and thing is not None:
        task = attribute(thing, "_host_task")  # anyio's cancel scope
    if is_a(task, asyncio.Task):
        return task, "timeout"
    found = tasks.get(id(args[0])) if args else None
    if found is not None and asyncio_.belongs_to_task(callback):
        return found, "sleep" if is_sleep(found) else "timeout"
    return None, ""


def is_sleep(task: Any) -> bool:
    """Tell whether a task waits in `asyncio.sleep`."""
    frames = frames_of(task)
    return bool(frames) and frames[-1].f_code.co_name == "sleep"


def birth_of(handle: Any, task: Any) -> str:
    """Return where a timer was made; for one of a task that is where the task waits."""
    birth = attribute(handle, "birth")
    if birth is None and task is not None:
        own = [f for f in frames_of(task) if kind_of(f.f_code.co_filename) < SKIP]
        birth = (own[-1].f_code, own[-1].f_lasti) if own else None
    if birth is None:
        return ""
    code, lasti = birth
    return f"{code.co_filename}:{line_of(code, lasti)}"


def test_of(handle: Any) -> str:
    """Return on whose behalf a timer was made, as the watch knows it."""
    context = asyncio_.context_of(handle)
    scope = context.get(OWNER) if context is not None else None
    return "" if scope is None else scope.owner.nodeid or scope.owner.name
