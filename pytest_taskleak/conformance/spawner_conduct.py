"""How does a helper that starts tasks treat the coroutine: does it run, is it kept, how does it end?"""

from __future__ import annotations

import asyncio
import gc
import inspect
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from pytest_taskleak.conformance.contracts import Fault
from pytest_taskleak.conformance.spawner_cast import POINTS, Child, Planted
from pytest_taskleak.conformance.spawner_trial import Spawner, Surroundings
from pytest_taskleak.conformance.stage import end_of, turns

UNBEGUN = "before its first step"
WHERE = {
    UNBEGUN: "still before its first step",
    "first": "at its 1st suspension",
    "second": "at its 2nd suspension, inside of `try: ... except Exception:`",
    "third": "at its 3rd suspension, in a coroutine that it awaits",
    "cleanup": "at its last suspension, in its `finally:`",
    "again": "at its 1st suspension, and again in its `finally:`",
}
STEPS = 8
"""Turns in which a coroutine comes from one of its suspensions to the next."""
REACH = """\
let CancelledError pass; catch no more than Exception, and await the coroutine itself, without shield():
    try:
        return await coro
    except Exception:
        logger.exception("%s failed", name)"""
TELL = """\
def ended(task):
    if not task.cancelled() and (error := task.exception()):
        logger.error("%s failed", task.get_name(), exc_info=error)
task.add_done_callback(ended)"""
KEEP = """\
tasks.add(task)  # a set of the module or of the instance
task.add_done_callback(tasks.discard)"""
VARIABLE: ContextVar[str] = ContextVar("check_spawner", default="nothing")


def runs(trial: Spawner) -> Iterator[Fault]:
    """SP1: the helper returns at once, and the coroutine runs by itself to its end."""

    async def scene(here: Surroundings) -> str:
        child = here.child()
        try:
            await here.spawn(child.planted_work())
        except TimeoutError:
            return f"the call did not return within {trial.deadline:g} s while the coroutine waited"
        await turns(STEPS)
        if not child.log:
            return "the coroutine has not begun, though the loop has run"
        child.release()
        await turns()
        return (
            "" if child.log[-1] == "ended" else f"the coroutine did not go on from its {child.log[-1]} wait"
        )

    if seen := trial.play(scene).result:
        yield Fault(
            "task = asyncio.get_running_loop().create_task(coro, name=name)\nreturn task",
            (("tried", f"{trial.called}(coro) in a coroutine"), ("seen", seen)),
        )


def surfaces(trial: Spawner) -> Iterator[Fault]:
    """SP2: an error that nobody awaits comes to light."""
    calls: list[object] = []
    heard = fails_unseen(trial)
    if not heard and trial.on_error:
        heard = fails_unseen(trial, recorder(calls)) or bool(calls)
    if not heard and trial.awaited:
        heard = awaiting_raises(trial)
    if not heard:
        yield Fault(
            TELL,
            (
                ("tried", f"{trial.called}(coro) whose coroutine raises, its result dropped"),
                ("seen", f"{unheard(trial)}: the error is lost"),
            ),
        )


def unheard(trial: Spawner) -> str:
    """Say where an error would have been heard."""
    known = [(trial.on_error, trial.on_error), ("failures", trial.failures)]
    ways = ["the loop's exception handler", "a logged warning", *(word for word, there in known if there)]
    return f"neither {', '.join(ways[:-1])} nor {ways[-1]} told it"


def recorder(calls: list[object]) -> Any:
    """Return what may be called with an error, and awaited or not."""

    def on_error(*args: object, **options: object) -> Nothing:
        calls.append((args, options))
        return Nothing()

    return on_error


class Nothing:
    """What may be awaited, and needs not to be."""

    def __await__(self) -> Iterator[Any]:
        return iter(())


def fails_unseen(trial: Spawner, on_error: Any = None, *, eager: bool = False) -> bool:
    """Let a coroutine fail that nobody awaits; return whether its error came to light."""
    number, counted = 0, False

    async def scene(here: Surroundings) -> None:
        nonlocal number, counted
        child = here.child(fails=True)
        number = child.number
        before = trial.total(here.held)
        await here.spawn(child.planted_moment() if eager else child.planted_step())
        for generation in (1, 2):  # nearly always it is young
            await turns()
            gc.collect(generation)
            await turns(STEPS)
            counted = trial.total(here.held) != before
            if counted or here.heard(number):
                return

    return trial.play(scene, eager=eager, on_error=on_error).heard(number) or counted


def awaiting_raises(trial: Spawner) -> bool:
    """Tell whether awaiting what the helper returns raises the coroutine's error."""

    async def scene(here: Surroundings) -> bool:
        child = here.child(fails=True)
        spawned = await here.spawn(child.planted_step())
        if spawned.handle is None:
            return False
        end = await end_of(spawned.handle, trial.deadline)
        return isinstance(end.error, Planted)

    return bool(trial.play(scene).result)


def passes_cancelling_on(trial: Spawner) -> Iterator[Fault]:
    """SP3: wherever the coroutine is, cancelling reaches it, and its task ends as cancelled."""
    for point, where in WHERE.items():

        async def scene(here: Surroundings, point: str = point) -> str:
            child = here.child()
            spawned = await here.spawn(here.keep(child.planted_work()))
            return "" if spawned.handle is None else await cancelled_at(point, child, spawned.handle)

        if seen := trial.play(scene).result:
            yield Fault(REACH, (("tried", f"task.cancel() while the coroutine was {where}"), ("seen", seen)))
            return


async def cancelled_at(point: str, child: Child, handle: asyncio.Future[Any]) -> str:
    """Cancel a coroutine at one of its suspensions; return what is wrong with what it made of that."""
    if point != UNBEGUN:
        for _ in POINTS[: POINTS.index("first" if point == "again" else point)]:
            await turns(STEPS)
            child.open()
        await turns(STEPS)
    handle.cancel()
    await turns(STEPS)
    if point == "again":
        handle.cancel()
        await turns(STEPS)
    met = {UNBEGUN: "", "again": "cancelled cleanup"}.get(point, f"cancelled {point}")
    if met and met not in child.log:
        return "the coroutine was not cancelled; it goes on as if nothing had happened"
    child.open()  # its cleanup ends
    await turns()
    if point in POINTS[:3] and "cleaned" not in child.log:
        return "the coroutine was not let to end its cleanup"
    if not handle.done():
        return "the task did not end"
    if handle.cancelled():
        return ""
    error = handle.exception()
    ended = f"with {type(error).__name__}: {error}" if error else f"with the result {handle.result()!r}"
    return f"the task ended {ended}, not as cancelled"


def closes_the_unbegun(trial: Spawner) -> Iterator[Fault]:
    """SP4: a coroutine that was cancelled before it began is closed."""

    async def scene(here: Surroundings) -> bool:
        work = here.keep(here.child().planted_work())
        spawned = await here.spawn(work)
        if spawned.handle is None:
            return False
        spawned.handle.cancel()
        await turns()
        return inspect.getcoroutinestate(work) == inspect.CORO_CREATED

    if trial.play(scene).result:
        yield Fault(
            "task.add_done_callback(lambda _: coro.close())  # does nothing to one that has ended",
            (
                ("tried", "task.cancel() before the first step of the coroutine"),
                ("seen", "the coroutine was neither run nor closed: Python warns that it was never awaited"),
            ),
        )


def hands_the_result_on(trial: Spawner) -> Iterator[Fault]:
    """SP5: who awaits what the helper returns gets the result or `None`, or the error."""
    for fails in (False, True):

        async def scene(here: Surroundings, fails: bool = fails) -> str:
            child = here.child(fails=fails)
            spawned = await here.spawn(child.planted_step())
            if not asyncio.isfuture(spawned.made):
                return ""
            end = await end_of(spawned.made, trial.deadline)
            if end.how == "returned" and (end.value is None or (end.value == child.number and not fails)):
                return ""
            if fails and isinstance(end.error, Planted) and end.error.number == child.number:
                return ""
            return f"returned {end.value!r}" if end.how == "returned" else end.text(trial.deadline)

        if seen := trial.play(scene).result:
            what = "raises" if fails else "returns a number"
            yield Fault(
                "return await coro  # in the wrapper; what it returns and raises is what the task ends with",
                (
                    ("tried", f"await {trial.called}(coro) whose coroutine {what}"),
                    ("seen", f"awaiting it {seen}"),
                ),
            )


def keeps(trial: Spawner) -> Iterator[Fault]:
    """SP8: a task that nobody else refers to lives until it has ended."""
    seen: list[str] = []

    async def lonely(found: list[weakref.ref[Any]]) -> None:
        future = asyncio.get_running_loop().create_future()
        found.append(weakref.ref(future))
        await future
        seen.append("went on")

    async def scene(here: Surroundings) -> str:
        found: list[weakref.ref[Any]] = []
        spawned = await here.spawn(lonely(found))
        await turns(STEPS)
        del spawned
        gc.collect()
        await turns(STEPS)
        future = found[0]() if found else None
        if future is None or future.done():
            return "the task was collected while it was pending; its work is lost"
        future.set_result(None)
        del future
        await turns(STEPS)
        return "" if seen else "the task did not go on"

    if lost := trial.play(scene).result:
        tried = f"{trial.called}(coro), its result dropped, then gc.collect() while the coroutine waited"
        yield Fault(KEEP, (("tried", tried), ("seen", lost)))


def hands_the_context_on(trial: Spawner) -> Iterator[Fault]:
    """SP14: the coroutine sees the context variables of who called the helper."""
    seen: list[str] = []

    async def look() -> None:
        seen.append(VARIABLE.get())

    async def scene(here: Surroundings) -> None:
        token = VARIABLE.set("the caller's")
        await here.spawn(look())
        VARIABLE.reset(token)
        await turns()

    trial.play(scene)
    if seen != ["the caller's"]:
        yield Fault(
            "create the task where the helper is called, or hand on context=contextvars.copy_context()",
            (
                ("tried", f"variable.set(...), {trial.called}(coro), variable.get() in the coroutine"),
                ("seen", "the value of another context" if seen else "the coroutine has not run"),
            ),
        )
