"""How is it told what a task waits for, who holds that, and who awaits whom?

Everything that `explain` can find out is asked for once; where that fails, the await chain alone is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pytest_taskleak.adapt import asyncio_, awaiting
from pytest_taskleak.adapt.code import HARNESS, USER, kind_of
from pytest_taskleak.adapt.waits import Wait, wait_of
from pytest_taskleak.diagnosis import Finality, Graph
from pytest_taskleak.explain.birth import shorten
from pytest_taskleak.explain.finality import Outlook
from pytest_taskleak.explain.rows import rows_of
from pytest_taskleak.explain.scene import Scene
from pytest_taskleak.explain.waitgraph import build
from pytest_taskleak.safely import is_a

SURE: tuple[Finality, ...] = ("stuck", "deadlock", "closed", "spins")
"""What is worth a line of its own below a task of a tree."""
DEEPEST = 20
MOST_TASKS = 40
"""How many tasks are told of; the rest is counted."""


Stories = Callable[[Graph], Iterable[Sequence[str]]]


def names_only(graph: Graph) -> Iterator[Sequence[str]]:
    """Yield each circle of a graph on a line, by the names of those who wait."""
    for keys in graph.cycles:
        yield [" -> ".join(graph.node(key).label for key in (*keys, keys[0]))]


class Sight:
    """What is seen of some tasks and threads.

    Parameters:
        tasks: the tasks that are told of.
        others: further tasks of their loops, which may hold or complete something.
        root: the project's directory, to shorten paths.
        threads: idents of the threads that the graph is to hold.
        stories: tells the circles of a graph.
    """

    def __init__(
        self,
        tasks: Sequence[Any],
        others: Sequence[Any],
        *,
        root: str,
        threads: Iterable[int] = (),
        stories: Stories = names_only,
    ) -> None:
        self.tasks = list(tasks)
        self.stories = stories
        self.places = {id(task): place for place, task in enumerate((*tasks, *others))}
        self.root = root
        self.graph = Graph()
        self.scene: Scene | None = None
        self.outlook: Outlook | None = None
        waiting = [task for task in self.tasks if not runs(task)]
        idents = list(threads)
        try:
            self.scene = Scene(
                waiting,
                others=[task for task in others if not runs(task)],
                threads=idents,
                own=[self.tasks, tasks, others, waiting],
                root=root,
            )
            self.outlook = Outlook(self.scene)
            self.graph = build(self.scene, self.outlook.finality)[0]
        except Exception:  # noqa: BLE001 -- everything goes on meanwhile; the await chains are told all the same
            self.outlook = None

    def wait(self, task: Any) -> Wait:
        """Return what a task waits for."""
        return wait_of(task) if self.scene is None else self.scene.wait(task)

    def line(self, task: Any) -> str:
        """Tell of a task on one line."""
        what, name = self.what(task), task.get_name()
        called = f"task {name!r}" + (f" ({what})" if what != name else "")
        return f"{called} {self.short(task)}".rstrip()

    def what(self, task: Any) -> str:
        """Return what a task runs: of the wrappers of test runners, the user's function inside."""
        frames = awaiting.frames_of(task)
        if frames and kind_of(frames[0].f_code.co_filename) == HARNESS:
            own = (f.f_code.co_qualname for f in frames if kind_of(f.f_code.co_filename) == USER)
            return next(own, "") or frames[0].f_code.co_name
        return awaiting.coroutine_name(task)[1]

    def short(self, task: Any) -> str:
        """Say what a task waits for, and on which line."""
        if runs(task):
            return "runs just now"
        wait = self.wait(task)
        place = f"at {self.place(wait.code, wait.line)}" if wait.code is not None else ""
        target = f"{wait.what} `{wait.name}`" if wait.name else wait.what
        if wait.inside:
            target += f" inside {wait.inside}"
        return f"waits for {target} {place}".rstrip()

    def place(self, code: Any, line: int) -> str:
        """Return a place as `path:line  function`."""
        return f"{shorten(code.co_filename, self.root)}:{line}  {code.co_qualname}"

    def rows(self, task: Any, *, ends: bool = True) -> list[tuple[str, str]]:
        """Return further lines on a task, each with its label.

        Parameters:
            ends: also say what is not sure of its end.
        """
        if self.scene is None or self.outlook is None or runs(task):
            return []
        try:
            found = [pair for pair in rows_of(self.scene, self.outlook, task) if pair[0] != "inside"]
            word, text = self.outlook.of(task)
        except Exception:  # noqa: BLE001 -- see above
            return []
        return [*found, ("ends", text)] if ends or word in SURE else found

    def tree(self, tasks: Sequence[Any], told: set[int]) -> Iterator[str]:
        """Tell of tasks, those that are awaited below those that await them.

        Parameters:
            told: the ids of what was told already.
        """
        below = {id(child) for task in tasks for child in self.children(task)}
        for task in [*(t for t in tasks if id(t) not in below), *tasks]:  # those of a circle come last
            if id(task) not in told and len(told) < MOST_TASKS:
                yield from self.branch(task, told, 1)

    def branch(self, task: Any, told: set[int], depth: int) -> Iterator[str]:
        """Tell of a task and of those that it awaits."""
        told.add(id(task))
        indent = "  " * depth
        yield indent + self.line(task)
        yield from (f"{indent}  {label}: {text}" for label, text in self.rows(task, ends=False))
        for child in self.children(task) if depth < DEEPEST else ():
            if id(child) not in told and len(told) < MOST_TASKS:
                yield from self.branch(child, told, depth + 1)

    def children(self, task: Any) -> list[Any]:
        """Return the pending tasks that a task awaits."""
        if runs(task):
            return []
        found = [x for x in self.wait(task).on if is_a(x, asyncio.Task) and not x.done()]
        return sorted(found, key=lambda x: self.places.get(id(x), len(self.places)))

    def cycles(self) -> Iterator[str]:
        """Tell who waits for each other in a circle."""
        for told in self.stories(self.graph):
            yield "deadlock"
            yield from (f"  {line}" for line in told)

    def story(self, task: Any) -> Iterator[str]:
        """Tell everything of one task: its await chain, what it waits for, who holds that, how it ends."""
        if task.done():
            yield f"task {task.get_name()!r} is done"
            return
        yield self.line(task)
        for frame in awaiting.frames_of(task):
            if kind_of(frame.f_code.co_filename) == USER:
                yield f"  {'at':<9} {self.place(frame.f_code, frame.f_lineno)}"
        yield from (f"  {label:<9} {text}" for label, text in self.rows(task))
        told = {id(task)}
        for child in self.children(task):
            if id(child) not in told:
                yield from self.branch(child, told, 1)
        yield from self.cycles()


def runs(task: Any) -> bool:
    """Tell whether a task is the one that its loop runs just now."""
    return bool(getattr(asyncio_.coro_of(task), "cr_running", False)) and asyncio_.waiter_of(task) is None
