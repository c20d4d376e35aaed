"""A stage on which tasks are left, and looked at as a report would: scene, outlook and wait-for graph."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest

from pytest_taskleak.adapt import asyncio_, cancelling
from pytest_taskleak.diagnosis import Finality
from pytest_taskleak.explain import choosing
from pytest_taskleak.explain.choosing import Chosen
from pytest_taskleak.explain.finality import Outlook
from pytest_taskleak.explain.proof import prove
from pytest_taskleak.explain.rows import rows_of
from pytest_taskleak.explain.scene import Scene
from pytest_taskleak.explain.waitgraph import build

Build = Callable[[], Awaitable[None]]
TURNS = 8


class Sight:
    """One look at some tasks; it holds them, so it is to be dropped with the stage."""

    def __init__(self, scene: Scene, *, turned: bool) -> None:
        self.scene = scene
        self.outlook = Outlook(scene, turned=turned)
        self.graph, self.keys = build(scene, self.outlook.finality)

    def task(self, name: str) -> Any:
        """Return a task by its name."""
        return next(task for task in self.scene.every if task.get_name() == name)

    @property
    def finalities(self) -> dict[str, Finality]:
        """Name of each told task -> can it ever end."""
        return {task.get_name(): self.outlook.finality(task) for task in self.scene.tasks}

    def ends(self, name: str) -> str:
        """Return the sentence on how a task would end."""
        return self.outlook.of(self.task(name))[1]

    @property
    def edges(self) -> set[tuple[str, str, str]]:
        """The edges of the graph, with labels of nodes in place of keys, and without `task '...'`."""
        named = {node.key: bare(node.label) for node in self.graph.nodes}
        return {(named[e.source], e.label, named[e.target]) for e in self.graph.edges}

    @property
    def cycles(self) -> list[list[str]]:
        """The cycles of the graph, each turned so that its first name in the alphabet stands first."""
        named = {node.key: bare(node.label) for node in self.graph.nodes}
        found = [[named[key] for key in cycle] for cycle in self.graph.cycles]
        return sorted([*cycle[(at := cycle.index(min(cycle))) :], *cycle[:at]] for cycle in found)

    def cause(self, name: str, **known: Any) -> Chosen:
        """Return the class of cause that is chosen for a task."""
        task = self.task(name)
        in_cycle = any(self.keys.get(id(task)) in cycle for cycle in self.graph.cycles)
        finality = self.outlook.finality(task)
        return choosing.of_task(self.scene, task, finality, in_cycle=in_cycle, **known)

    def rows(self, name: str) -> list[tuple[str, str]]:
        """Return the further lines on what a task waits for."""
        return list(rows_of(self.scene, self.outlook, self.task(name)))


class Stage:
    """A loop that is turned by hand, on which tasks are left that only this holds."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.tasks: list[asyncio.Task[Any]] = []
        self.ends: list[Callable[[], object]] = []

    def leave(self, build: Build) -> None:
        """Run a function that leaves tasks, let everybody come to rest, and take what is pending."""
        self.loop.run_until_complete(build())
        self.turn()
        self.tasks[:] = asyncio_.tasks_of(self.loop)

    def turn(self, times: int = TURNS) -> None:
        """Turn the loop."""
        asyncio_.turn(self.loop, times)

    def look(
        self, *told: str, own: Any = (), threads: Any = (), turned: bool = True, prover: Any = prove
    ) -> Sight:
        """Look at the tasks of these names, or at all; the others are known of.

        Parameters:
            told: the names of the tasks that are told of.
            own: further containers that do not count.
            threads: idents of threads that are told of.
            turned: see `Outlook`.
            prover: see `Scene`.
        """
        tasks = [task for task in self.tasks if not told or task.get_name() in told]
        others = [task for task in self.tasks if told and task.get_name() not in told]
        scene = Scene(tasks, others=others, threads=threads, own=[self.tasks, tasks, *own], prover=prover)
        return Sight(scene, turned=turned)

    def clear(self) -> None:
        """End every task, those that await each other too, and close the loop."""
        for end in self.ends:
            end()
        for handle in asyncio_.scheduled(self.loop):
            handle.cancel()
        self.tasks.clear()
        if self.loop.is_closed():
            return
        for _ in range(3):  # a task may swallow the first
            asked: set[int] = set()
            for task in asyncio_.tasks_of(self.loop):
                cancelling.cancel(task, asked)
            self.turn(TURNS + len(asked))
        assert asyncio_.tasks_of(self.loop) == []
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


def bare(label: str) -> str:
    """Return the name alone of a task's label."""
    return label.removeprefix("task ").strip("'") if label.startswith("task ") else label


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A stage that is cleared."""
    made = Stage()
    yield made
    made.clear()


Spawn = Callable[[Coroutine[Any, Any, Any], str], asyncio.Task[Any]]


@pytest.fixture
def spawn() -> Spawn:
    """Return a function that starts a task which only the stage will hold."""

    def start(coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(coroutine, name=name)

    return start
