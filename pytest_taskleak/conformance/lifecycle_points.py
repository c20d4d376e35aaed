"""Does a service keep its promises at every suspension, when it fails, and in the long run?"""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pytest_taskleak.conformance.contracts import Fault
from pytest_taskleak.conformance.lifecycle_orders import LOCKED
from pytest_taskleak.conformance.lifecycle_trial import Lifecycle, Run
from pytest_taskleak.conformance.stage import End, Stage, turns
from pytest_taskleak.conformance.stepping import only, spread

MOST_POINTS = 60
"""How many suspensions of one call are tried at most."""
WARM, CYCLES, WINDOWS = 4, 4, 3
"""Cycles before the first count, between two counts, and how often is counted after it."""
UNDO = """\
try:
    ...  # what start() does
except BaseException:
    await self.stop()  # ends what was begun
    raise"""
AGAIN = """\
for task in self._tasks:  # forget a task when it has ended, not when it is asked to
    task.cancel()
await asyncio.gather(*self._tasks, return_exceptions=True)
self._tasks.clear()"""


def points(trial: Lifecycle, word: str) -> list[int]:
    """Return the suspensions of `start` or `stop`, as many as are tried."""
    if word not in trial.learned:

        async def scene(run: Run) -> None:
            await run.start((lambda _: None) if word == "start" else None)
            steps = run.steps
            if word == "stop":
                run.steps = 0
                await run.stop(lambda _: None)
                steps = run.steps
            else:
                await run.tidy()
            trial.learned[word] = steps

        trial.play(scene)
    return spread(trial.learned.get(word, 0), MOST_POINTS)


def stops_while_it_starts(trial: Lifecycle) -> Iterator[Fault]:
    """LC8: whoever stops a service that is being started finds it stopped when both have returned."""
    for number in points(trial, "start"):

        async def scene(run: Run, number: int = number) -> None:
            beside: list[asyncio.Task[End]] = []
            end = await run.start(only(number, lambda: beside.append(run.stop_beside())))
            run.calls.append(f"{trial.stop}() in another task at suspension {number} of {trial.start}()")
            if beside and end.how != "late":
                run.expect(await beside[0], "ok", f"{trial.stop}()")

        if faults := trial.fault(scene, LOCKED):
            yield from faults
            return


def start_is_cancelled(trial: Lifecycle) -> Iterator[Fault]:
    """LC9: a `start` that is cancelled leaves nothing."""
    for number in points(trial, "start"):

        async def scene(run: Run, number: int = number) -> None:
            cancel = run.cancelling()
            end = await run.start(only(number, cancel))
            run.calls.append(f"cancelled at suspension {number}")
            if end.how == "returned" and run.stage.cancels:
                run.wrong.append(("seen", f"{trial.start}() returned as if it had not been cancelled"))

        if faults := trial.fault(scene, UNDO):
            yield from faults
            return


def stop_is_cancelled(trial: Lifecycle) -> Iterator[Fault]:
    """LC11: after a `stop` that was cancelled, another one ends everything."""
    for number in points(trial, "stop"):

        async def scene(run: Run, number: int = number) -> None:
            cancel = run.cancelling()
            if not await run.starts():
                return
            end = await run.stop(only(number, cancel))
            run.calls[-1] += f" cancelled at suspension {number}"
            if end.how != "late":
                run.expect(await run.stop(), "ok", f"the second {trial.stop}()")

        if faults := trial.fault(scene, AGAIN):
            yield from faults
            return


def stays_flat(trial: Lifecycle) -> Iterator[Fault]:
    """LC12: cycles of `start` and `stop` do not pile up objects."""

    async def cycle(stage: Stage, options: dict[str, Any]) -> None:
        service = (await stage.bounded(lambda: called(trial.make))).value
        nothing = (None,) * 3 * trial.leaves
        for _ in range(1 if trial.managed or trial.restart == "error" else 2):
            await stage.bounded(lambda: called(getattr(service, trial.start), **options))
            await stage.bounded(lambda: called(getattr(service, trial.stop), *nothing))

    async def cycles(stage: Stage, number: int) -> None:
        for _ in range(number):
            if trial.group:
                async with asyncio.TaskGroup() as group:
                    await cycle(stage, {trial.group: group})
            else:
                await cycle(stage, {})
        await turns()

    counts: list[Counter[str]] = []
    with Stage(trial.make_loop, trial.deadline) as stage:
        for number in (WARM, *[CYCLES] * WINDOWS):
            stage.play(cycles(stage, number), calls=6 * number)
            counts.append(census())
    grown = [after - before for before, after in pairwise(counts)]
    steady = [name for name in grown[0] if all(window[name] >= CYCLES for window in grown)] if grown else []
    if steady:
        ranked = sorted(steady, key=lambda name: (name in PLAIN, -grown[-1][name], name))
        more = ", ".join(f"{grown[-1][name] / CYCLES:g} {name}" for name in ranked[:4])
        yield Fault(
            "in stop(), forget what was made; in a registry, remove what has ended: "
            "task.add_done_callback(tasks.discard)",
            (
                ("calls", f"{WARM + WINDOWS * CYCLES} services, each started and stopped"),
                ("seen", f"each one leaves more objects behind: {more}"),
            ),
        )


CANCELLED = ("TimerHandle", "Context")
"""What a loop keeps of timers that were cancelled, until it is their time."""
PLAIN = frozenset(
    {"dict", "list", "tuple", "set", "cell", "function", "method", "builtin_function_or_method"}
)


async def called(function: Any, *args: Any, **options: Any) -> Any:
    """Call a function, and await what it returns if that can be."""
    made = function(*args, **options)
    return await made if inspect.isawaitable(made) and not inspect.isclass(function) else made


def census() -> Counter[str]:
    """Count the living objects by their types."""
    gc.collect()
    found = Counter(type(thing).__qualname__ for thing in gc.get_objects())
    for name in CANCELLED:
        del found[name]
    return found


def is_alive(trial: Lifecycle) -> Iterator[Fault]:
    """LC13: when `start` has returned, the service lives."""

    async def scene(run: Run) -> None:
        service = run.service
        if not await run.starts():
            return
        if trial.alive is not None:
            lives = trial.alive(service)
            if inspect.isawaitable(lives):
                lives = await lives
            if not lives:
                run.wrong.append(("seen", f"{trial.start}() has returned, but alive(service) is {lives!r}"))
        del service
        await turns()
        for task in run.tasks():
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                end = End("raised", error=error)
                told = f"{trial.start}() has returned, but its task {task.get_name()!r} {end.text(0)}"
                run.wrong.append(("seen", told))
        await run.tidy()

    run = trial.play(scene)
    if run.wrong:
        yield Fault(
            "await self._ready.wait()  # at the end of start(): an event that the task sets when it works",
            (("calls", run.calls[0]), *(("seen", text) for _, text in run.wrong)),
        )


def fails_clean(trial: Lifecycle) -> Iterator[Fault]:
    """LC14: a `start` that fails raises its error, and leaves nothing."""
    for make in trial.failing:

        async def scene(run: Run) -> None:
            run.expect(await run.start(), "error")

        yield from trial.fault(scene, UNDO, make=make)
