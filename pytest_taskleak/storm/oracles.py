"""What is wrong after a run, where nobody has said what is right?

Each check names one letter of `verdicts.ORACLES`.  Tasks, timers and locks are the service's, unless a client
of the load has made them in code of its own.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_taskleak.adapt import task_steps
from pytest_taskleak.adapt.hermetic import HermeticError
from pytest_taskleak.adapt.hermetic_signals import Reraised
from pytest_taskleak.storm import clients
from pytest_taskleak.storm.env import InjectedFault
from pytest_taskleak.storm.places import call_name, line_at, name_of, place_of
from pytest_taskleak.storm.places import told as task_told
from pytest_taskleak.storm.verdicts import Scale, Violation
from pytest_taskleak.storm.wording import plain

if TYPE_CHECKING:
    from pytest_taskleak.storm.run import Run

HANGS = frozenset("DBV")
BLOCKED = 1e-3
"""Virtual seconds over the deadline that are no rounding."""
OWN = ("asyncio.", "_asyncio.", "pytest_taskleak.")
DESTROYED = "Task was destroyed but it is pending!"


def note(run: Run, oracle: str, text: str, where: str = "", task: Any = None) -> None:
    """Note what is wrong, and with which task."""
    who = ("", "") if task is None else (plain(name_of(task)), task_steps.task_name(task))
    run.outcome.violations.append(Violation(oracle, text, where, task=who[0], runs=who[1]))


def hangs(run: Run) -> bool:
    """Tell whether the run did not come to its end."""
    return any(violation.oracle in HANGS for violation in run.outcome.violations)


def ended(run: Run, why: str) -> None:
    """Judge how the root and the stops ended."""
    waits = [t for t in (*run.stops, *run.inside.asking, run.root) if t is not None and not t.done()]
    if waits:
        slow = waits[0]
        where, who = place_of(slow), f"{task_told(slow)}{run.inside.told(slow)}"
        if why == "busy":
            note(run, "V", f"it ran on for {run.limits.most:,} callbacks; {who}", where)
        elif why == "idle":
            note(run, "B", f"nothing can wake anything any more; {who}", where)
        elif run.triggered >= 0:
            note(run, "D", f"the stop took longer than {run.limits.deadline:g} s; {who}", where)
        else:
            note(run, "D", f"it never came to its natural end; {who}", where)
    elif run.triggered >= 0 and run.outcome.drain - run.env.leapt > run.limits.deadline + BLOCKED:
        took = f"{run.outcome.drain - run.env.leapt:g} s, not {run.limits.deadline:g} s"
        note(run, "D", f"the stop took {took}: code blocks the loop, as time.sleep() does", "blocked")
    for task in run.stops:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            if caused_by(error, Reraised):
                continue
            who = "stop()" if task in run.harness else "the service"
            note(run, "E", f"{who} raised {error!r}", origin(error))
    root = run.root
    if root is not None and root.done():
        root_ended(run, root)


def root_ended(run: Run, root: asyncio.Task[Any]) -> None:
    """Judge what came out of the program's own task."""
    if root.cancelled():
        return
    error = root.exception()
    if error is None:
        if run.plan.axis in ("cancel", "pair") and run.outcome.hit:
            note(run, "X", "the root was cancelled, and its cancellation was swallowed", "root")
        return
    injected = injects(run) and caused_by(error, InjectedFault)
    if not injected and not caused_by(error, HermeticError):
        note(run, "E", f"the service raised {error!r}", origin(error))


def left(run: Run) -> None:
    """Note what still lives now that the service has stopped."""
    for number, task in enumerate(run.loop.tasks):
        if task.done() or task in run.harness or task is run.loop.frozen or is_clients(run, number, task):
            continue
        born = line_at(run.loop.births[number])
        text = f"task {task_told(task)}{', born ' if born else ''}{born}"
        where = f"{plain(task.get_name())}:{place_of(task)}" if named(task) else place_of(task)
        note(run, "T", text, where, task)
    hidden(run)
    for timer in run.loop.armed():
        birth = timer.birth
        callback: Any = getattr(timer, "_callback", None)
        if birth is None or birth[0] in run.client_codes() or is_own(callback):
            continue
        name = task_steps.callback_name(callback)
        note(
            run,
            "t",
            f"timer {name}, due in {timer.when() - run.loop.time():g} s, armed {line_at(birth)}",
            name,
        )
    for function in run.loop.calls.values():
        name = call_name(function)
        run.outcome.violations.append(
            Violation("H", f"{name}() still runs in a pool after the stop", name, "advisory")
        )
    for resource in run.env.resources:
        if resource.is_open:
            note(run, "R", f"resource {resource.name!r} is open after the stop", resource.name)


def hidden(run: Run) -> None:
    """Note that a stop waited in vain for what is still there, and returned as if nothing were the matter."""
    known = {violation.oracle for violation in run.outcome.violations}
    cut_short = run.plan.axis == "pair"
    if run.triggered < 0 or cut_short or "T" not in known or known & {*HANGS, "E"}:
        return
    for time, birth in run.loop.expired:
        if time > run.triggered and birth is not None and birth[0] not in run.client_codes():
            waited = time - run.triggered
            text = f"stop() gave up after {waited:g} s and told nobody: armed {line_at(birth)}"
            note(run, "E", text, f"timeout@{birth[0].co_qualname}")
            return


def locks(run: Run) -> None:
    """Note what is held although nobody is left who could give it back."""
    for what, where in run.primitives.taken():
        note(run, "K", f"{what}, made in {where}", where)


def outlived(run: Run, victim: asyncio.Task[Any]) -> None:
    """Note that a task goes on long after it was cancelled, and while nobody has stopped the service."""
    note(run, "X", f"cancelled, and still there: {task_told(victim)}", place_of(victim))


def stop_again(run: Run) -> None:
    """Stop what has stopped; that must be no harm."""
    subject = run.subject
    if subject is None or not subject.restarts:
        return
    task = run.loop.create_task(subject.stop(), name="stop-again")
    run.harness.add(task)
    why = run.loop.run(task, until=run.loop.time() + run.limits.deadline, most=run.limits.most)
    if not task.done():
        note(run, "I", f"a second stop() does not return ({why}); {task_told(task)}", place_of(task))
    elif not task.cancelled() and (error := task.exception()) is not None:
        note(run, "I", f"a second stop() raised {error!r}", origin(error))


def at_last(run: Run) -> None:
    """Judge what shows only after a while: clients without an answer, locks, and the ledger."""
    waiting = [task for task in run.env.clients if not task.done() and task is not run.loop.frozen]
    for task in waiting:
        note(run, "Q", f"client {task_told(task)}", place_of(task), task)
    run.outcome.violations += clients.judged(run, is_clients)
    if run.loop.frozen is None:  # it keeps what it holds
        locks(run)
    if run.done is not None and run.given is not None:
        for item in run.done(run.given):
            run.env.finish(item)
    if run.env.uses_ledger:
        ledger(run)


LEFT_BEFORE = "its client was cancelled before it had an answer, and nobody knows whether it was taken on"


def ledger(run: Run) -> None:
    """Compare what was handed in with what came out."""
    book = run.env.ledger
    for item in book.open_items():
        forced = run.plan.axis in ("pair", "freeze")  # a second signal, and what is frozen, may cost work
        scale: Scale = "forced loss" if forced else "violation"
        text, where = f"item {item!r} was accepted and is lost", "ledger"
        if item in book.unanswered:
            text, where, scale = f"item {item!r}: {LEFT_BEFORE}", "ledger unanswered", "indeterminate"
        run.outcome.violations.append(Violation("L", text, where, scale))
    for item, count in book.finished.items():
        if count > 1:
            note(run, "2", f"item {item!r} was done {count} times", "ledger")
        if item not in book.accepted:
            note(run, "2", f"item {item!r} was done and never accepted", "ledger")
    if run.env.ordered:
        wanted = [item for item in book.accepted if item in book.finished]
        if list(dict.fromkeys(book.order)) != wanted:
            note(run, "O", f"done in the order {book.order!r}", "ledger")


def told(run: Run) -> bool:
    """Note what the loop's exception handler was told, by callbacks and by tasks that nobody asked.

    Returns:
        whether it was told anything.
    """
    heard = bool(run.loop.told)
    for context in run.loop.told:
        error = context.get("exception")
        message = str(context.get("message", ""))
        if message == DESTROYED or (error is not None and caused_by(error, HermeticError)):
            continue
        if injects(run) and error is not None and caused_by(error, InjectedFault):
            continue
        if run.plan.axis == "raise" and isinstance(error, asyncio.InvalidStateError):
            continue  # a timer or a peer comes to a future that the storm has failed
        where = origin(error) if error is not None else message
        note(run, "E", f"{message}: {error!r}" if error is not None else message, where)
    run.loop.told.clear()
    return heard


def never_awaited(run: Run, heard: Sequence[warnings.WarningMessage]) -> None:
    """Note the coroutines that were made and never awaited."""
    for warning in heard:
        text = str(warning.message).partition("\n")[0]
        if "was never awaited" in text:
            note(run, "W", text, text)


def injects(run: Run) -> bool:
    """Tell whether the storm lets something fail in this run: a service may pass that on."""
    return run.plan.axis in ("fault", "raise") or bool(run.env.flaky)


# --- whose is it -----------------------------------------------------------------------------------------


def is_clients(run: Run, number: int, task: Any) -> bool:
    """Tell whether a client of the load has made a task in code of its own."""
    if task in run.env.clients:
        return True
    birth = run.loop.births[number]
    return birth is not None and birth[0] in run.client_codes()


def is_own(callback: Any) -> bool:
    """Tell whether a timer's callback is asyncio's own: it belongs to the task that sleeps."""
    function = getattr(callback, "__func__", callback)
    module = getattr(function, "__module__", None) or type(getattr(callback, "__self__", None)).__module__
    return f"{module}.".startswith(OWN)


def named(task: Any) -> bool:
    """Tell whether a task has a name of its own, and not a number."""
    return not task.get_name().startswith("Task-")


def origin(error: BaseException) -> str:
    """Return where an exception was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (
        f"{type(error).__name__}@{trace.tb_frame.f_code.co_qualname}"
        if trace is not None
        else type(error).__name__
    )


def caused_by(error: BaseException, kind: type[BaseException]) -> bool:
    """Tell whether an exception is of a kind, has come of one, or holds one."""
    seen: set[int] = set()
    ahead: list[BaseException | None] = [error]
    while ahead:
        one = ahead.pop()
        if one is None or id(one) in seen:
            continue
        if isinstance(one, kind):
            return True
        seen.add(id(one))
        ahead += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            ahead += one.exceptions
    return False
