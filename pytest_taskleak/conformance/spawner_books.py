"""What does a helper that starts tasks tell and count, where does it refuse, and what does it keep?"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from pytest_taskleak.conformance.contracts import Fault
from pytest_taskleak.conformance.spawner_cast import Planted
from pytest_taskleak.conformance.spawner_conduct import Nothing
from pytest_taskleak.conformance.spawner_names import NAME
from pytest_taskleak.conformance.spawner_trial import Spawner, Surroundings, collected
from pytest_taskleak.conformance.stage import end_of, turns

FAILED = 5
MANY = 120
"""How many tasks are started, twice, to see whether references to them pile up."""
CONTAIN = """\
try:
    on_error(error)
except Exception:
    logger.exception("on_error failed")"""


def contains_its_callback(trial: Spawner) -> Iterator[Fault]:
    """SP9: `on_error` is called once for an error and never else; its own error harms nobody."""
    if not trial.on_error:
        return
    harm = ""
    for ending, raises in (("raises", False), ("raises", True), ("is cancelled", False), ("returns", False)):
        back = called_back(trial, ending, raises=raises)
        if not raises and ending == "raises":
            harm = back.harm  # not the callback's doing
        seen = back.wrong or (back.harm if raises and back.harm != harm else "")
        if seen:
            how = f"{trial.on_error}= that itself raises" if raises else f"{trial.on_error}="
            yield Fault(
                CONTAIN.replace("on_error", trial.on_error),
                (("tried", f"{trial.called}(coro, {how}); the coroutine {ending}"), ("seen", seen)),
            )


@dataclass(slots=True)
class Back:
    """What has come of a callback.

    Parameters:
        calls: the texts of the errors that it was given, for each call.
        wrong: what is wrong with that.
        harm: what the helper has not done afterwards.
    """

    calls: list[list[str]] = field(default_factory=list)
    wrong: str = ""
    harm: str = ""

    def judge(self, number: int, expected: int) -> None:
        """Look at the calls."""
        often = {0: "never", 1: "once"}
        if len(self.calls) != expected:
            times = often.get(len(self.calls), f"{len(self.calls)} times")
            self.wrong = f"it was called {times}, not {often[expected]}"
        elif self.calls and str(Planted(number)) not in self.calls[0]:
            self.wrong = "it was called without the error"


def called_back(trial: Spawner, ending: str, *, raises: bool) -> Back:
    """Let a coroutine end while somebody wants to be called; return what has come of that."""
    back, number = Back(), 0

    def on_error(*args: Any, **options: Any) -> Nothing:
        back.calls.append([text for value in (*args, *options.values()) for text in errors_of(value)])
        if raises:
            raise LookupError("planted in the callback")
        return Nothing()

    async def scene(here: Surroundings) -> None:
        nonlocal number
        child = here.child(fails=ending == "raises")
        number, before = child.number, trial.total(here.held)
        spawned = await here.spawn(child.planted_work() if ending == "is cancelled" else child.planted_step())
        await turns()
        if ending == "is cancelled" and spawned.handle is not None:
            spawned.handle.cancel()
            await turns()
            child.release()
        await turns()
        if not asyncio.isfuture(spawned.made):
            return
        end = await end_of(spawned.made, trial.deadline)
        if isinstance(end.error, LookupError):
            back.wrong = "awaiting the task raises the callback's own error"
        ref = weakref.ref(spawned.made)
        del end, spawned
        other = here.child()
        await here.spawn(other.planted_step())
        await turns()
        if "ended" not in other.log:
            back.wrong = "a coroutine that was started afterwards did not run"
        elif trial.failures and trial.total(here.held) == before:
            back.harm = "the failure was not counted"
        elif collected([ref]):
            back.harm = "the helper did not let go of the task"

    trial.play(scene, on_error=on_error)
    if not back.wrong:
        back.judge(number, 1 if ending == "raises" else 0)
    return back


def errors_of(value: Any) -> Iterator[str]:
    """Yield the text of the error that a callback was given: it, its task, or what holds it."""
    if isinstance(value, BaseException):
        yield str(value)
    held = getattr(value, "exception", None)
    if asyncio.isfuture(value):
        held = value.exception() if value.done() and not value.cancelled() else None
    if isinstance(held, BaseException):
        yield str(held)


def counts(trial: Spawner) -> Iterator[Fault]:
    """SP10: five failures are five; neither what ends well nor what is cancelled counts."""
    if trial.failures is None:
        return
    seen: list[tuple[str, str]] = []

    async def scene(here: Surroundings) -> None:
        before = trial.total(here.held)
        for _ in range(FAILED):
            await here.spawn(here.child(fails=True).planted_step(), name=NAME)
        await turns()
        collected([])
        await turns()
        more = trial.total(here.held) - before
        if more != FAILED:
            seen.append((f"{FAILED} coroutines that raise", f"failures() grew by {more}"))
        before = trial.total(here.held)
        spawned = await here.spawn((child := here.child()).planted_work())
        await here.spawn(here.child().planted_step())
        await turns()
        if spawned.handle is not None:
            spawned.handle.cancel()
        await turns()
        child.release()
        await turns()
        if more := trial.total(here.held) - before:
            seen.append(("a coroutine that is cancelled, and one that returns", f"failures() grew by {more}"))
        counted = trial.counted(here.held)
        if isinstance(counted, MutableMapping):
            before = trial.total(here.held)
            counted.clear()
            if trial.total(here.held) != before:
                seen.append(("failures().clear()", "the helper's own counts are gone"))

    trial.play(scene)
    for tried, found in seen:
        copied = "clear" in tried
        yield Fault(
            "return dict(counts)  # a copy"
            if copied
            else "if not task.cancelled() and task.exception():\n    counts[task.get_name()] += 1",
            (("tried", tried), ("seen", found)),
        )


def lets_go(trial: Spawner) -> Iterator[Fault]:
    """SP13: of many tasks that have ended, no more are kept than of as many before; some may be."""
    for ending in ("returned", "raised", "were cancelled"):
        refs: list[weakref.ref[Any]] = []

        async def scene(here: Surroundings, ending: str = ending, refs: list[Any] = refs) -> int:
            before = await kept(here, ending, refs)
            return await kept(here, ending, refs) - before

        more: int = trial.play(scene).result or 0
        if more > MANY // 2:
            yield Fault(
                "task.add_done_callback(tasks.discard)  # however it ends",
                (
                    ("tried", f"{MANY} coroutines that {ending}, and again as many, then gc.collect()"),
                    ("seen", f"{more} more of the tasks are still referred to than before"),
                ),
            )


async def kept(here: Surroundings, ending: str, refs: list[weakref.ref[Any]]) -> int:
    """Start and end many tasks; return how many of all so far are still referred to."""
    new: list[weakref.ref[Any]] = []
    for _ in range(MANY):
        handle = (await here.spawn(brief(ending), name=NAME)).handle
        if handle is None:
            return 0
        new.append(weakref.ref(handle))
        del handle
    await turns(4)
    if ending == "were cancelled":
        for ref in new:
            cancel(ref())
    await turns()
    refs += new
    return collected(refs)


def cancel(task: Any) -> None:
    """Cancel a task, unless it is gone."""
    if task is not None:
        task.cancel()


async def brief(ending: str) -> None:
    """End in one of the ways; wait to be cancelled."""
    await asyncio.sleep(0)
    if ending == "raised":
        raise Planted(0)
    if ending == "were cancelled":
        await asyncio.get_running_loop().create_future()
