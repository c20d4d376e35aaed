"""What must be true of a helper that starts tasks?  The rules in their order."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from pytest_taskleak.conformance import spawner_books as books
from pytest_taskleak.conformance import spawner_conduct as conduct
from pytest_taskleak.conformance import spawner_loops as loops
from pytest_taskleak.conformance import spawner_names as names
from pytest_taskleak.conformance.arguments import checked_callable, checked_deadline
from pytest_taskleak.conformance.contracts import Clause
from pytest_taskleak.conformance.spawner_trial import Spawner

RUNS = ("SP1",)
SPAWNER: tuple[Clause[Spawner], ...] = (
    Clause("SP1", "runs the coroutine in the background", conduct.runs),
    Clause("SP2", "lets no error get lost", conduct.surfaces, RUNS),
    Clause("SP3", "does not swallow cancelling", conduct.passes_cancelling_on, RUNS),
    Clause("SP4", "closes a coroutine that never began", conduct.closes_the_unbegun, RUNS),
    Clause("SP5", "hands result and error to who awaits", conduct.hands_the_result_on, RUNS),
    Clause("SP6", "keeps the name that it is given", names.keeps_names, RUNS),
    Clause("SP7", "gives a name that says something", names.gives_names, RUNS),
    Clause("SP8", "keeps a reference", conduct.keeps, RUNS),
    Clause("SP9", "contains its callback", books.contains_its_callback, RUNS),
    Clause("SP10", "counts failures, and nothing else", books.counts, RUNS),
    Clause("SP11", "fails at once where no loop runs", loops.fails_without_a_loop),
    Clause("SP12", "works with eager tasks", loops.is_eager, ("SP1", "SP2", "SP5")),
    Clause("SP13", "lets go of what has ended", books.lets_go, RUNS),
    Clause("SP14", "hands the context on", conduct.hands_the_context_on, RUNS),
)
CHECK = "check_spawner"


def spawner(
    spawn: Any,
    *,
    name: Any,
    on_error: Any,
    failures: Any,
    around: Any,
    awaited: Any,
    loop_factory: Any,
    deadline: Any,
) -> Spawner:
    """Return what is to be tried, or say which argument is none that can be."""
    checked_callable(CHECK, "spawn", spawn)
    for word, value in (("failures", failures), ("around", around), ("loop_factory", loop_factory)):
        if value is not None:
            checked_callable(CHECK, word, value)
    if not isinstance(awaited, bool):
        raise TypeError(f"{CHECK}: awaited must be True or False - got {awaited!r}")
    for word, keyword in (("name", name), ("on_error", on_error)):
        if keyword is not None and (not isinstance(keyword, str) or not keyword.isidentifier()):
            raise TypeError(f"{CHECK}: {word} must be the name of a parameter, or None - got {keyword!r}")
    if name is not None and name != "name" and not takes(spawn, name):
        raise ValueError(f"{CHECK}: {spawn!r} has no parameter {name!r}; pass name=None if there is none")
    given = bool(on_error and around and not named(spawn, on_error) and takes(around, on_error))
    if on_error is not None and not given and not takes(spawn, on_error):
        raise ValueError(f"{CHECK}: {spawn!r} has no parameter {on_error!r}")
    return Spawner(
        spawn=spawn,
        name=name if name is not None and takes(spawn, name) else "",
        on_error=on_error or "",
        failures=failures,
        around=around,
        awaited=awaited,
        make_loop=loop_factory or asyncio.new_event_loop,
        deadline=checked_deadline(CHECK, deadline),
        told_around=given,
    )


def parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter] | None:
    """Return the parameters of a callable, `None` where nobody knows them."""
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return None


def named(function: Callable[..., Any], word: str) -> bool:
    """Tell whether a callable has a parameter of this name."""
    known = parameters(function)
    return known is not None and word in known and known[word].kind is not inspect.Parameter.POSITIONAL_ONLY


def takes(function: Callable[..., Any], word: str) -> bool:
    """Tell whether a callable can be called with a keyword, as far as is known."""
    known = parameters(function)
    if known is None:
        return True
    return named(function, word) or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
