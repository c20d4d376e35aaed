"""How does a helper that starts tasks call them?"""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator
from functools import partial
from typing import Any

from pytest_taskleak.conformance.contracts import Fault, told
from pytest_taskleak.conformance.spawner_trial import Spawner, Surroundings
from pytest_taskleak.conformance.stage import turns

NAME = "planted-name"
NOTHING_SAID = re.compile(r"(Task-\d+|unknown|none|null|task|coro(utine)?|unnamed|anonymous)?", re.IGNORECASE)


class Bare(Coroutine[Any, Any, None]):
    """A coroutine that is no object of Python's own type, and has no name."""

    def __init__(self) -> None:
        self.inner = self.nothing()

    async def nothing(self) -> None:
        """Do nothing."""

    def __await__(self) -> Generator[Any, Any, None]:
        return self.inner.__await__()

    def send(self, value: Any) -> Any:
        return self.inner.send(value)

    def throw(self, *error: Any) -> Any:
        return self.inner.throw(*error)

    def close(self) -> None:
        self.inner.close()


async def planted_ticks() -> AsyncGenerator[int, None]:
    """Yield once."""
    yield 1


async def planted_call(_: int) -> None:
    """Do nothing."""


def awaitables() -> list[tuple[str, Callable[[], Any]]]:
    """Return what a task can be made of: how it is told, and what makes it."""
    return [
        ("a coroutine", lambda: planted_call(1)),
        ("functools.partial(function, 1)()", partial(planted_call, 1)),
        ("an async generator's asend(None)", lambda: planted_ticks().asend(None)),
        ("a Coroutine without __qualname__", Bare),
    ]


def keeps_names(trial: Spawner) -> Iterator[Fault]:
    """SP6: a task has the name that it was given, whatever it is made of."""
    if not trial.name:
        return
    for what, make in awaitables():
        seen = named(trial, make, NAME)
        if seen is not None and NAME not in seen:
            yield Fault(
                f"task = loop.create_task(coro, name={trial.name})  # whatever coro is",
                (("tried", f"{trial.called}({what}, {trial.name}={NAME!r})"), ("seen", seen)),
            )


def gives_names(trial: Spawner) -> Iterator[Fault]:
    """SP7: a task that was given no name has one that tells what it is."""
    for what, make in awaitables():
        seen = named(trial, make, "")
        native = make is not Bare and "asend" not in what
        if seen is not None and (seen.startswith("raised") or (native and NOTHING_SAID.fullmatch(seen))):
            shown = seen if seen.startswith("raised") else f"the task is called {seen!r}"
            yield Fault(
                f'name = {trial.name or "name"} or getattr(coro, "__qualname__", type(coro).__qualname__)',
                (("tried", f"{trial.called}({what})"), ("seen", shown)),
            )
            return


def named(trial: Spawner, make: Callable[[], Any], name: str) -> str | None:
    """Return the name of a task that a helper makes; `None` if it cannot be seen, or is refused."""

    async def scene(here: Surroundings) -> str | None:
        work = make()
        try:
            spawned = await here.spawn(work, name=name)
        except Exception as error:  # noqa: BLE001 -- told, unless it refuses what is no coroutine of Python's own
            work.close()
            refused = isinstance(error, TypeError | ValueError) and not inspect.iscoroutine(work)
            return None if refused else f"raised {told(error)}"
        task = spawned.made if hasattr(spawned.made, "get_name") else spawned.task
        found = None if task is None else task.get_name()
        await turns()
        return found

    result: str | None = trial.play(scene).result
    return result
