"""What was a client told: an answer, a refusal, nothing at all, or of a slip of the service?

Whose connection ended without a word cannot know what became of its request, and no more can the storm: that
is indeterminate, unless the ledger knows.  To be refused is to be answered; but a refusal is raised by
somebody.  An exception that nobody has raised has come to the client by accident.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_taskleak.adapt import raising
from pytest_taskleak.adapt.exceptions import unretrieved
from pytest_taskleak.adapt.links import locals_of
from pytest_taskleak.storm.places import name_of
from pytest_taskleak.storm.verdicts import Scale, Violation

if TYPE_CHECKING:
    from pytest_taskleak.storm.asgi_scopes import Answer
    from pytest_taskleak.storm.env import Env
    from pytest_taskleak.storm.run import Run

Task: TypeAlias = asyncio.Task[Any]
Whose: TypeAlias = Callable[["Run", int, Task], bool]
UNKNOWN = "and nobody knows what became of its request"


def judged(run: Run, is_clients: Whose) -> Iterator[Violation]:
    """Yield what is to be said of clients that have ended.

    Parameters:
        run: at its end.
        is_clients: tells of a task and its number whether it is a client's, or was made by one.
    """
    yield from cut_tasks(run, is_clients)
    yield from cut_streams(run)
    plain = run.plan.axis == "baseline"
    for task in run.env.clients:
        if not (plain and task in run.early):  # before the end nobody is refused: an error is told as lost
            yield from slips(run, task)


# --- without an answer -----------------------------------------------------------------------------------


def cut_tasks(run: Run, is_clients: Whose) -> Iterator[Violation]:
    """Yield those whose wait was cancelled from under them, while nobody has cancelled the client itself."""
    victim = run.victim
    if victim is not None and not is_clients(run, run.plan.victim, victim):
        victim = None
    for number, task in enumerate(run.loop.tasks):
        if not (task.done() and task.cancelled()) or task.cancelling() or not is_clients(run, number, task):
            continue
        error = raising.cancellation_of(task)
        if error is None or comes_of(victim, error):
            continue
        frames = raising.frames_of(error)
        if frames and not decided(run.env, held_by(frames)):
            name, where = name_of(task), f"cut@{frames[-1].f_code.co_qualname}"
            text = f"client {name!r}: what it waited for was cancelled, {UNKNOWN}"
            text = f"{text}; it stood at {raising.lines_of(error)}"
            yield Violation("Q", text, where, "indeterminate", name)


def comes_of(victim: Task | None, error: BaseException) -> bool:
    """Tell whether a client has heard of the end of another one, the victim of the storm."""
    if victim is None or not (victim.done() and victim.cancelled()):
        return False
    code = getattr(victim.get_coro(), "cr_code", None)
    got = raising.cancellation_of(victim) is None
    return got and any(frame.f_code is code for frame in raising.frames_of(error)[1:])


def cut_streams(run: Run) -> Iterator[Violation]:
    """Yield the connections that have ended while an answer was awaited."""
    network = vars(run.env).get("network")
    if network is None or run.plan.axis == "disconnect":  # there the storm lets a client go
        return
    for end in network.asking:
        if end.cut and not decided(run.env, end.held):
            text = f"client of {end.title}: the connection was closed before an answer came, {UNKNOWN}"
            yield Violation("Q", text, f"cut {end.title}", "indeterminate")


def tell_cut(env: Env, answers: Iterable[Answer], stored: Collection[Any]) -> None:
    """Note the requests to an app whose connection ended without a full answer.

    Parameters:
        env: the environment of the run.
        answers: of all requests.
        stored: what is stored, where requests are known by their number: that is no loss.
    """
    for answer in answers:
        if answer.cut and str(answer.number) not in stored:
            title = answer.request.title
            text = f"{title}: the connection was closed before a full answer came, {UNKNOWN}"
            env.tell("Q", text, where=f"cut {title}", scale="indeterminate")


def decided(env: Env, held: Iterable[Any]) -> bool:
    """Tell whether the ledger knows of a request: an item that its code holds was accepted.

    What was accepted is done, dropped, or told as lost.
    """
    accepted = env.ledger.accepted
    kinds = {type(item) for item in accepted} - {bool}
    return any(type(value) in kinds and value in accepted for value in held)


def held_by(frames: Iterable[Any]) -> Iterator[Any]:
    """Yield what the code of a request holds in its variables."""
    for frame in frames:
        yield from locals_of(frame).values()


# --- what is no answer -----------------------------------------------------------------------------------


def slips(run: Run, task: Task) -> Iterator[Violation]:
    """Yield the exceptions of a client that nobody has raised; all others are answers.

    Only what says that asyncio was used wrongly is a violation, and only if it comes out of code that is no
    client's, and if the load has not dealt with it.
    """
    if not task.done() or task.cancelled():
        return
    handled = unretrieved(task) is None
    error = task.exception()  # so that it is not told as lost
    for one in () if error is None else leaves(error):
        if not raising.accident(one):
            continue
        if run.plan.axis == "raise" and isinstance(one, asyncio.InvalidStateError):
            continue  # a timer or a peer comes to a future that the storm has failed
        frames = raising.frames_of(one)
        foreign = beyond(run, frames)
        sure = raising.misuse(one) and foreign and not handled
        scale: Scale = "violation" if sure else "advisory"
        how = "that nobody has raised" if foreign else "in code of its own"
        name = name_of(task)
        text = f"client {name!r} has come to {one!r}, {how}: {raising.lines_of(one)}"
        place = frames[-1].f_code.co_qualname if frames else name
        yield Violation("E", text, f"client {type(one).__name__}@{place}", scale, name)


def beyond(run: Run, frames: list[Any]) -> bool:
    """Tell whether a way leads into code that is no client's: not of the load, nor of a client's class."""
    codes = run.client_codes()
    owners = {raising.owner_of(frame) for frame in frames if frame.f_code in codes} - {None}
    return any(frame.f_code not in codes and raising.owner_of(frame) not in owners for frame in frames)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, or those that a group holds which nobody has put together on purpose."""
    if isinstance(error, BaseExceptionGroup) and not raising.on_purpose(error):
        for one in error.exceptions:
            yield from leaves(one)
    else:
        yield error
