"""What must be true of whatever is started and stopped?  The rules in their order."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from pytest_taskleak.conformance import lifecycle_orders as orders
from pytest_taskleak.conformance import lifecycle_points as points
from pytest_taskleak.conformance.arguments import checked_callable, checked_deadline
from pytest_taskleak.conformance.contracts import Clause
from pytest_taskleak.conformance.lifecycle_trial import Lifecycle, Run, Twice

STARTS, STOPS = ("LC1",), ("LC1", "LC2")
LIFECYCLE: tuple[Clause[Lifecycle], ...] = (
    Clause("LC1", "starts", orders.starts),
    Clause("LC2", "stops, and leaves nothing", orders.stops, STARTS),
    Clause("LC3", "started twice, doubles nothing", orders.starts_twice, STOPS),
    Clause("LC4", "stopped twice, stays stopped", orders.stops_twice, STOPS),
    Clause("LC5", "stopped before it was started, does no harm", orders.stops_first, STARTS),
    Clause("LC6", "can be started again", orders.restarts, STOPS),
    Clause(
        "LC7",
        "survives the death of its tasks",
        orders.restarts_after_a_crash,
        (*STOPS, "LC6"),
    ),
    Clause("LC8", "can be stopped while it starts", points.stops_while_it_starts, STOPS),
    Clause("LC9", "leaves nothing when its start is cancelled", points.start_is_cancelled, STARTS),
    Clause("LC10", "can be stopped by two at once", orders.stops_concurrently, (*STOPS, "LC4")),
    Clause("LC11", "can be stopped after a stop that was cancelled", points.stop_is_cancelled, STOPS),
    Clause("LC12", "does not grow", points.stays_flat, STOPS),
    Clause("LC13", "lives when it has been started", points.is_alive, STARTS),
    Clause("LC14", "leaves nothing when its start fails", points.fails_clean, STARTS),
)
OF_METHODS = ("LC3", "LC4", "LC5", "LC6", "LC7", "LC8", "LC10", "LC11")
"""The rules that do not hold for context managers: each is entered once and left once."""
MANAGED, PLAINLY_MANAGED = ("__aenter__", "__aexit__"), ("__enter__", "__exit__")
CHECK = "check_lifecycle"


def lifecycles(
    service: Any,
    names: tuple[Any, Any, Any],
    does: tuple[Any, Any, Any],
    failing: Any,
    alive: Any,
    loop_factory: Any,
    deadline: Any,
) -> Iterator[Lifecycle]:
    """Yield what is to be tried, without and with a task group, or say which argument cannot be.

    Parameters:
        service: makes a service.
        names: of the methods that start and stop it, and of the keyword for a task group.
        does: what a second start, an early stop and a start after stop must do.
        failing: see `check_lifecycle`, as for the others.
        alive: tells of a service whether it lives.
        loop_factory: makes the loops.
        deadline: seconds that each call may take.
    """
    (start, stop, tg), (start_twice, stop_first, restart) = names, does
    checked_callable(CHECK, "Service", service)
    for word, value in (("alive", alive), ("loop_factory", loop_factory)):
        if value is not None:
            checked_callable(CHECK, word, value)
    for word, value in (("start", start), ("stop", stop), ("tg", tg)):
        if not (value is None and word == "tg") and (not isinstance(value, str) or not value.isidentifier()):
            raise TypeError(f"{CHECK}: {word} must be a name - got {value!r}")
    checked_words(start_twice, stop_first, restart)
    fails = (failing,) if callable(failing) else failing
    if not isinstance(fails, tuple | list) or not all(map(callable, fails)):
        raise TypeError(f"{CHECK}: failing must make a service, or be several that do - got {failing!r}")
    trial = Lifecycle(
        make=service,
        start=start,
        stop=stop,
        group="",
        start_twice=start_twice,
        stop_first=stop_first,
        restart=restart,
        failing=tuple(fails),
        alive=alive,
        make_loop=loop_factory or asyncio.new_event_loop,
        deadline=checked_deadline(CHECK, deadline),
    )
    yield from shaped(trial, looked_at(trial, tg), tg)


def checked_words(start_twice: Any, stop_first: Any, restart: Any) -> None:
    """Say which word is none that is allowed."""
    words = get_args(Twice)
    for name, value, allowed in (
        ("start_twice", start_twice, (*words, None)),
        ("stop_first", stop_first, words),
        ("restart", restart, words),
    ):
        if value not in allowed:
            shown = ", ".join(map(repr, allowed))
            raise ValueError(f"{CHECK}: {name} must be one of {shown} - got {value!r}")


@dataclass(slots=True)
class Look:
    """What is seen of a service.

    Parameters:
        has: the names that were asked for, and whether it has them.
        takes: `start` takes a task group; `needs`: it cannot be called without one.
    """

    has: dict[str, bool] = field(default_factory=dict)
    takes: bool = False
    needs: bool = False
    shown: str = ""


def looked_at(trial: Lifecycle, tg: str | None) -> Look:
    """Make a service and look at its methods; a class needs not be made."""
    look = Look()
    names = (trial.start, trial.stop, *MANAGED, *PLAINLY_MANAGED)

    def see(service: Any) -> None:
        look.has = {name: callable(getattr(service, name, None)) for name in names}
        look.shown = getattr(service, "__qualname__", type(service).__qualname__)
        method = getattr(service, trial.start, None)
        known: Mapping[str, inspect.Parameter] = {}
        with contextlib.suppress(TypeError, ValueError):
            known = inspect.signature(method).parameters if callable(method) else {}
        if tg is not None and tg in known:
            look.takes, look.needs = True, known[tg].default is inspect.Parameter.empty

    async def scene(run: Run) -> None:
        see(run.service)

    if isinstance(trial.make, type):
        see(trial.make)
    else:
        trial.play(scene)
    return look


def shaped(trial: Lifecycle, look: Look, tg: str | None) -> Iterator[Lifecycle]:
    """Yield what is tried in the shape that it has."""
    has = look.has
    if not has or (has[trial.start] and has[trial.stop]):
        if not look.needs:
            yield trial
        if look.takes:
            yield replace(trial, group=tg or "", learned={})
        return
    missing = next(name for name in (trial.start, trial.stop) if not has[name])
    if (trial.start, trial.stop) == ("start", "stop"):
        for enter, leave in (MANAGED, PLAINLY_MANAGED):
            if has[enter] and has[leave]:
                yield replace(trial, start=enter, stop=leave)
                return
    raise TypeError(
        f"{CHECK}: {look.shown} has no {missing}(), and is no context manager; "
        f'name its methods, as in start="open", stop="close"'
    )


def left_out(trial: Lifecycle) -> tuple[str, ...]:
    """Return the codes of the rules that do not hold for what is tried."""
    return OF_METHODS if trial.managed else ()
