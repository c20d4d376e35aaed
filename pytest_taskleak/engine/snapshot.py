"""What does everything wait for right now?  Lines, taken while a thread hangs.

Called from the watchdog's thread or a signal handler: it takes no lock, runs no code of the user, looks
at so many tasks and threads at most, and whatever cannot be told is left out.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FrameType
from typing import Any

from pytest_taskleak.adapt import asyncio_, futures, processes, running, trio
from pytest_taskleak.adapt.code import HARNESS, LIBRARY, USER, kind_of, line_of
from pytest_taskleak.adapt.standing import Standing, standing_of
from pytest_taskleak.diagnosis import Snapshot
from pytest_taskleak.engine.sights import MOST_TASKS, Sight, Stories, names_only
from pytest_taskleak.explain.birth import shorten
from pytest_taskleak.safely import is_a

MOST_TIMERS = 10
MOST_THREADS = 20
MOST_FRAMES = 8
MOST_CHILDREN = 10
IDLE = "idle-worker"
Frames = Mapping[int, FrameType]


def snapshot(
    *,
    root: str = "",
    ident: int | None = None,
    frames: Frames | None = None,
    stories: Stories = names_only,
) -> Snapshot:
    """Look at all tasks of the loops that turn, their timers, all threads and child processes.

    Parameters:
        root: the project's directory, to shorten paths.
        ident: the thread that hangs; what it waits for is told first.
        frames: the innermost frame of each thread, where the present ones would mislead.
        stories: tells who waits for each other in a circle.
    """
    tops = dict(frames if frames is not None else running.frames())
    if frames is None:
        tops.pop(threading.get_ident(), None)  # it looks, and does nothing else
    try:
        look = Look(root, tops, stories)
        return Snapshot(look.lines(ident), look.sight.graph, look.culprit(ident))
    finally:
        tops.clear()


class Look:
    """One look.

    Parameters:
        root: the project's directory.
        tops: ident -> innermost frame.
        stories: see `snapshot`.
    """

    def __init__(self, root: str, tops: Frames, stories: Stories) -> None:
        self.root = root
        self.tops = tops
        self.names = running.threads()
        self.idents = [i for i in self.names if i in tops and not is_ours(self.names[i])]
        self.idents += sorted(i for i in tops if i not in self.names and stack_of(tops[i]))
        self.standing = {i: stands for i in self.idents if (stands := standing_of(i, tops)) is not None}
        self.turning = {i: turns for i in self.idents if (turns := running.turning(tops[i])) is not None}
        self.tasks = {ident: running.tasks_of(loop) for ident, (loop, _) in self.turning.items()}
        every = [task for tasks in self.tasks.values() for task in tasks]
        self.sight = Sight(
            every[:MOST_TASKS], every[MOST_TASKS:], root=root, threads=self.idents, stories=stories
        )

    def lines(self, ident: int | None) -> list[str]:
        """Return everything as lines; a part that fails is left out, and says so."""
        parts: list[Callable[[], Iterable[str]]] = [
            lambda: self.first(ident),
            self.all_tasks,
            self.sight.cycles,
            self.timers,
            self.threads,
            children,
        ]
        found: list[str] = []
        for part in parts:
            try:
                found += part()
            except Exception as error:  # noqa: BLE001 -- another thread changes what is looked at
                found.append(f"  (a part could not be seen: {type(error).__name__})")
        return found

    # --- the culprit ----------------------------------------------------------------------------

    def task_of(self, ident: int | None) -> Any:
        """Return the task that a thread runs its loop for, at the end of those that it awaits."""
        loop, main = self.turning.get(ident or 0, (None, None))
        if main is None or not running.is_idle(self.tops.get(ident or 0)):
            return None
        task = running.leaf_of(running.child_of(running.test_of(loop, main)))
        return task if any(task is each for each in self.sight.tasks) else None

    def trio_main(self, ident: int | None) -> Any:
        """Return the main task of trio that a thread waits for, if that is where it stands."""
        runner = None if ident is None or ident in self.turning else trio.runner_for(ident, self.tops)
        task = None if runner is None else runner.main_task
        return task if task is not None and self.trio_wait(task) else None

    def culprit(self, ident: int | None) -> str:
        """Say in a few words what a thread waits for."""
        try:
            task = self.task_of(ident)
            if task is not None:
                return self.sight.short(task)
            task = self.trio_main(ident)
            if task is not None:
                return self.trio_wait(task)
            return self.stands(self.standing[ident or 0])
        except Exception:  # noqa: BLE001 -- see `lines`
            return ""

    def first(self, ident: int | None) -> Iterator[str]:
        """Tell of the thread that hangs."""
        if ident is None or ident not in self.standing:
            return
        task = self.task_of(ident)
        if task is not None:
            yield row("culprit", self.sight.line(task))
            yield from (row(label, text) for label, text in self.sight.rows(task))
            return
        task = self.trio_main(ident)
        if task is not None:
            yield row("culprit", self.trio_task(task))
            return
        standing = self.standing[ident]
        yield row("culprit", f"thread {self.name(ident)} {self.stands(standing)}".rstrip())
        if standing.detail:
            yield row("which is", standing.detail)

    # --- tasks, timers --------------------------------------------------------------------------

    def all_tasks(self) -> Iterator[str]:
        """Tell of the tasks of each loop, those that are awaited below those that await them."""
        told: set[int] = set()
        for ident, tasks in self.tasks.items():
            if tasks:
                yield f"tasks of thread {self.name(ident)} ({len(tasks)})"
                seen = [task for task in tasks if any(task is each for each in self.sight.tasks)]
                yield from self.sight.tree(seen, told)
                rest = sum(id(task) not in told for task in tasks)
                if rest:
                    yield f"  ... and {rest} more"
        for ident in self.idents:
            runner = trio.runner_in(self.tops[ident]) if ident not in self.turning else None
            tasks = [] if runner is None else trio.tasks_of(runner)
            if tasks:
                yield f"tasks of trio in thread {self.name(ident)} ({len(tasks)})"
                yield from (f"  {self.trio_task(task)}" for task in tasks[:MOST_TASKS])

    def trio_task(self, task: Any) -> str:
        """Tell of a task of trio."""
        name = getattr(task, "name", "")
        return f"task {name if type(name) is str else ''} {self.trio_wait(task)}".rstrip()

    def trio_wait(self, task: Any) -> str:
        """Say what a task of trio waits for, and on which line."""
        what, at = trio.waits_for(task)
        return f"waits for {what} at {self.place(*at)}" if what and at else ""

    def timers(self) -> Iterator[str]:
        """Tell when the timers of each loop are due."""
        for ident, (loop, _) in self.turning.items():
            armed = asyncio_.scheduled(loop)
            if not armed:
                continue
            yield f"timers of thread {self.name(ident)} ({len(armed)})"
            now = loop.time()
            for handle in armed[:MOST_TIMERS]:
                module, what = futures.describe(asyncio_.handle_parts(handle)[0])
                name = what if module.startswith(("asyncio", "uvloop")) or not module else f"{module}.{what}"
                yield f"  due in {max(0.0, handle.when() - now):.1f} s  {name}"
            if len(armed) > MOST_TIMERS:
                yield f"  ... and {len(armed) - MOST_TIMERS} more"

    # --- threads --------------------------------------------------------------------------------

    def threads(self) -> Iterator[str]:
        """Tell where each thread stands, with its stack cut to the user's frames."""
        told = [ident for ident in self.idents if ident in self.standing]
        busy = [ident for ident in told if self.standing[ident].kind != IDLE]
        yield f"threads ({len(told)})"
        for ident in busy[:MOST_THREADS]:
            standing, stack = self.standing[ident], stack_of(self.tops[ident])
            yield f"  thread {self.name(ident)} {self.stands(standing, place=not stack)}".rstrip()
            if standing.detail:
                yield f"    {standing.detail}"
            yield from (f"    at {self.place(code, line)}" for code, line in stack)
        if len(busy) > MOST_THREADS:
            yield f"  ... and {len(busy) - MOST_THREADS} more"
        if len(told) > len(busy):
            yield f"  {len(told) - len(busy)} idle workers of pools"

    def name(self, ident: int) -> str:
        """Return the name of a thread in quotes."""
        return repr(running.name_of(ident, self.names))

    def stands(self, standing: Standing, *, place: bool = True) -> str:
        """Say what a thread does, and on which line."""
        what = str(standing)
        verb = "turns a loop in" if standing.kind == "loop" else "runs" if standing.kind == "running" else ""
        words = f"{verb or 'waits in'} {what}" if what else "runs code of its own"
        known = [x for x in standing.frames if kind_of(x[0].co_filename) in (USER, LIBRARY)]
        if not place or not known:
            return words
        code, offset = known[-1]
        return f"{words} at {self.place(code, line_of(code, offset))}"

    def place(self, code: Any, line: int) -> str:
        """Return a place as `path:line  function`."""
        return f"{shorten(code.co_filename, self.root)}:{line}  {code.co_qualname}"


def stack_of(top: FrameType) -> list[tuple[Any, int]]:
    """Return (code, line) of the user's last frames, the innermost first; below pytest nothing is told."""
    found: list[tuple[Any, int]] = []
    for frame in running.stack(top):
        kind = kind_of(frame.f_code.co_filename)
        if kind == USER:
            found.append((frame.f_code, frame.f_lineno or 0))
        elif kind == HARNESS and found:
            break
    return found[:MOST_FRAMES]


def children() -> Iterator[str]:
    """Tell of the child processes that were started here, as far as somebody watches them."""
    living = [
        c for c in list(processes.CHILDREN.values()) if c.pid != c.parent and c.look() != processes.GONE
    ]
    if living:
        yield f"child processes ({len(living)})"
        for child in living[:MOST_CHILDREN]:
            yield f"  pid {child.pid}  {child.command or child.name}"


def is_ours(thread: threading.Thread) -> bool:
    """Tell whether a thread is the watcher's own."""
    return str(getattr(thread, "_name", "")).startswith("taskleak-")


def explain_task(task: Any, root: str = "", *, stories: Stories = names_only) -> str:
    """Return as text what a task waits for, who holds that, and whether it can ever end.

    Parameters:
        task: an asyncio task.
        root: the project's directory, to shorten paths.
        stories: see `snapshot`.

    Raises:
        TypeError: it is no task of asyncio.
    """
    if not is_a(task, asyncio.Task):
        raise TypeError(f"explain takes a task of asyncio, got an object of {type(task).__qualname__}")
    loop = asyncio_.loop_of(task)
    others = [each for each in running.tasks_of(loop) if each is not task]
    return "\n".join(Sight([task], others, root=root, stories=stories).story(task))


def row(label: str, text: str) -> str:
    """Return one labelled line."""
    return f"  {label:<9} {text}".rstrip()
