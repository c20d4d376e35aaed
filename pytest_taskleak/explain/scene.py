"""What is going on among some tasks and threads: proofs, waits, holders?

Live objects for one look: proofs first, because reading locals makes new references, then everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import CodeType
from typing import Any

from pytest_taskleak.adapt import asyncio_, completing, holding, waits
from pytest_taskleak.adapt.code import line_of
from pytest_taskleak.adapt.holding import Held
from pytest_taskleak.adapt.standing import all_standing
from pytest_taskleak.adapt.waits import Wait
from pytest_taskleak.explain import timers
from pytest_taskleak.explain.birth import shorten
from pytest_taskleak.explain.proof import Proof, prove

LOCKS = ("lock", "semaphore", "limiter")
"""Kinds of wait that end when a holder gives back."""
MOST_TASKS = 60
"""How many tasks are looked at in one graph; the rest is counted."""


class Scene:
    """Some tasks and threads, and what each of them waits for.

    Parameters:
        tasks: the tasks that are told of.
        others: further pending tasks of their loops, which may hold or complete something.
        threads: idents of the threads that are told of.
        own: containers of the watcher and the harness, see `proof.prove`.
        root: the project's directory, to shorten paths.
        prover: how tasks are proven stuck.
    """

    def __init__(
        self,
        tasks: Sequence[Any],
        *,
        others: Sequence[Any] = (),
        threads: Iterable[int] = (),
        own: Sequence[Any] = (),
        root: str = "",
        prover: Callable[..., dict[int, Proof]] = prove,
    ) -> None:
        self.root = root
        self.tasks = list(tasks[:MOST_TASKS])
        told = set(map(id, self.tasks))
        every = [*self.tasks, *(task for task in (*tasks, *others) if id(task) not in told)]
        held = (*own, self.tasks, tasks, others)
        self.proofs = prover(every, own=held) if every else {}
        self.cancelled: set[int] = set()
        if any(proof.verdict == "stuck" for proof in self.proofs.values()):
            self.cancelled = timers.cancelled(every)
            if self.cancelled:
                self.proofs = prover(every, own=held, awake=self.cancelled)
        self.every = every[: 4 * MOST_TASKS]
        self.waits: dict[int, Wait] = {}
        self.threads = (
            {ident: s for ident, s in all_standing().items() if ident in set(threads)} if threads else {}
        )
        self._held: dict[int, list[Held]] = {}
        self._holders: dict[int, tuple[list[tuple[Any, Held]], bool]] = {}

    def wait(self, task: Any) -> Wait:
        """Return what a task waits for."""
        found = self.waits.get(id(task))
        if found is None:
            found = self.waits[id(task)] = self._named(task)
        return found

    def _named(self, task: Any) -> Wait:
        """Return what a task waits for; of a helper task those that await it may know the name."""
        found = waits.wait_of(task)
        if found.name or found.thing is None or len(self.every) > MOST_TASKS:
            return found
        callers = waits.awaiters_of(task, self.every)
        return waits.wait_of(task, callers) if callers else found

    def proof(self, task: Any) -> Proof:
        """Return what is proven of a task."""
        return self.proofs.get(id(task)) or Proof("unknown", reason="it was not looked at")

    def holders(self, thing: Any) -> tuple[list[tuple[Any, Held]], bool]:
        """Return who holds a lock or permits of a semaphore, and whether these are all."""
        key = id(thing)
        if key not in self._holders:
            self._holders[key] = holding.holders(thing, self.every, self.held)
        return self._holders[key]

    def held(self, task: Any) -> list[Held]:
        """Return what a task holds."""
        if id(task) not in self._held:
            self._held[id(task)] = holding.held_by(task)
        return self._held[id(task)]

    def completers(self, task: Any, wait: Wait) -> list[tuple[Any, str, CodeType, int]]:
        """Return the pending tasks whose code would complete a wait: task, method, code, line."""
        if wait.kind in LOCKS or wait.thing is None:
            return []
        found = []
        for other in self.every:
            if other is task or self.same_wait(other, wait):
                continue
            how = completing.would_complete(other, wait.thing, operation(wait))
            if how is not None:
                found.append((other, *how))
        return found

    def same_wait(self, task: Any, wait: Wait) -> bool:
        """Tell whether another task waits for the very same."""
        theirs = self.wait(task)
        return theirs.thing is wait.thing and theirs.what == wait.what

    def loops(self) -> list[Any]:
        """Return the loops of the tasks."""
        return list({id(loop): loop for loop in map(asyncio_.loop_of, self.tasks)}.values())

    def at(self, code: CodeType | None, line: int) -> str:
        """Return a place as `path:line`."""
        return "" if code is None else f"{shorten(code.co_filename, self.root)}:{line}"

    def at_offset(self, code: CodeType, offset: int) -> str:
        """Return the place of an instruction as `path:line`."""
        return self.at(code, line_of(code, offset))

    def in_code(self, code: CodeType | None, line: int) -> str:
        """Return a place as `path:line  function`."""
        return "" if code is None else f"{self.at(code, line)}  {code.co_qualname}"


def operation(wait: Wait) -> str:
    """Return the word by which `adapt.completing` knows a wait."""
    method = wait.what.removesuffix("()").rpartition(".")[2]
    if wait.kind == "queue":
        return f"queue-{method}"
    if wait.kind == "memory-stream":
        return "memory-send" if method == "send" else "memory-receive"
    return wait.kind
