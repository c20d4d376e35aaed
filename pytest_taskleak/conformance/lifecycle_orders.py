"""Does a service keep its promises in whatever order it is started and stopped?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pytest_taskleak.conformance.contracts import Fault
from pytest_taskleak.conformance.lifecycle_trial import Lifecycle, Run
from pytest_taskleak.conformance.stage import turns

END_ALL = """\
for task in tasks:
    task.cancel()
await asyncio.gather(*tasks, return_exceptions=True)"""
REFUSE = """\
if self._running:
    raise RuntimeError("already started")  # or: return"""
NOTHING_TO_STOP = """\
task, self._task = self._task, None
if task is None:
    return"""
FROM_NEW = """\
self._running = False  # in stop(): put back what start() looks at
self._over = asyncio.Event()  # in start(): events, queues and groups are new in each cycle"""
LOCKED = """\
async with self._lock:  # one asyncio.Lock, in start() and in stop()
    ...  # a second stop() finds that nothing is left to do"""
OWN_CANCEL = """\
await asyncio.gather(task, return_exceptions=True)  # `await task` raises what the task ended with"""


def starts(trial: Lifecycle) -> Iterator[Fault]:
    """LC1: `start` returns, in time, and without an error."""

    async def scene(run: Run) -> None:
        run.expect(await run.start(), "ok")
        await run.tidy()

    run = trial.play(scene)
    if run.wrong:
        calls = ", ".join(run.calls) or "none"
        seen = tuple(("seen", text) for _, text in run.wrong)
        yield Fault(
            f"let {trial.start}() return when the service is ready; hand in a class or a function without "
            f"arguments that makes one which can be started here",
            (("calls", calls), *seen),
        )


def stops(trial: Lifecycle) -> Iterator[Fault]:
    """LC2: `stop` returns, in time, and nothing that the service has made is left."""

    async def scene(run: Run) -> None:
        if await run.starts():
            run.expect(await run.stop(), "ok")

    yield from trial.fault(scene, END_ALL)


def starts_twice(trial: Lifecycle) -> Iterator[Fault]:
    """LC3: a second `start` is an error or does nothing; nothing is doubled."""

    async def scene(run: Run) -> None:
        if not await run.starts():
            return
        before = await run.living()
        again = await run.start()
        if again.how == "late" or (trial.start_twice and not run.expect(again, trial.start_twice)):
            await run.stop()
            return
        if more := await run.living() - before:
            run.wrong.append(("seen", f"the second {trial.start}() has made {listed(more)} more"))
        elif again.how == "cancelled":
            run.expect(again, "ok")
        run.expect(await run.stop(), "ok")

    yield from trial.fault(scene, REFUSE)


def stops_twice(trial: Lifecycle) -> Iterator[Fault]:
    """LC4: a second `stop` does nothing."""

    async def scene(run: Run) -> None:
        if await run.starts() and run.expect(await run.stop(), "ok"):
            run.expect(await run.stop(), "ok", f"the second {trial.stop}()")

    yield from trial.fault(scene, NOTHING_TO_STOP)


def stops_first(trial: Lifecycle) -> Iterator[Fault]:
    """LC5: `stop` before any `start` does nothing, or is the error that was declared."""

    async def scene(run: Run) -> None:
        run.expect(await run.stop(), trial.stop_first)

    advice = NOTHING_TO_STOP if trial.stop_first == "ok" else 'raise RuntimeError("not started")'
    yield from trial.fault(scene, advice)


def restarts(trial: Lifecycle) -> Iterator[Fault]:
    """LC6: a stopped service can be started again, and has all that it had the first time."""

    async def scene(run: Run) -> None:
        if not await run.starts():
            return
        before = await run.living()
        if not run.expect(await run.stop(), "ok"):
            return
        again = await run.start()
        if run.expect(again, trial.restart, f"the second {trial.start}()") and again.how == "returned":
            compare(run, before, await run.living(), "in the second cycle")
        run.expect(await run.stop(), "ok")

    yield from trial.fault(scene, FROM_NEW)


def restarts_after_a_crash(trial: Lifecycle) -> Iterator[Fault]:
    """LC7: a service whose tasks have died can be stopped, and started again."""

    async def scene(run: Run) -> None:
        if not await run.starts():
            return
        before = await run.living()
        victims = [task for task in run.tasks() if not task.done()]
        if not victims:
            await run.stop()
            return
        run.calls.append("all of its tasks are cancelled")
        for task in victims:
            task.cancel()
        del victims
        await turns()
        if run.keeper is not None:
            await run.abort_group()
        elif not run.expect(await run.stop(), "ok"):
            return
        if trial.restart == "error":
            return
        again = await run.start()
        if run.expect(again, "ok", f"the second {trial.start}()"):
            compare(run, before, await run.living(), "after the crash")
        run.expect(await run.stop(), "ok")

    yield from trial.fault(scene, f"{OWN_CANCEL}\n{FROM_NEW}" if not trial.group else FLAG)


FLAG = """\
if any(not task.done() for task in self._tasks):  # in start(), in place of a flag that only stop() clears
    return"""


def stops_concurrently(trial: Lifecycle) -> Iterator[Fault]:
    """LC10: two who stop a service at once both return."""

    async def scene(run: Run) -> None:
        if not await run.starts():
            return
        other = run.stop_beside()
        run.calls.append(f"{trial.stop}() in two tasks at once")
        first = await run.bounded(run.stopping(), run.calls[-1])
        run.expect(first, "ok", f"one of two {trial.stop}() at once")
        run.expect(await other, "ok", f"one of two {trial.stop}() at once")

    yield from trial.fault(scene, LOCKED)


def compare(run: Run, before: Counter[str], after: Counter[str], when: str) -> None:
    """Write down what lives of a service in a second cycle that did not in the first, and the reverse."""
    if fewer := before - after:
        run.wrong.append(("seen", f"{when} it has no longer {listed(fewer)}"))
    elif more := after - before:
        run.wrong.append(("seen", f"{when} it has {listed(more)} more"))


def listed(things: Counter[str]) -> str:
    """Say how many of what."""
    return ", ".join(f"{number} {what}" for what, number in sorted(things.items()))
