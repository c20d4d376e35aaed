"""What if a service is told to stop by a SIGTERM, which it handles itself?

The program then ends as the service lets it.  A main coroutine has to end by itself.  Of a service that is
started and stopped, nobody knows what it waits for; it has the time of `linger` to do what its handler
wants, and is then stopped as at a natural end.  Where nobody handles the signal, the process would be gone,
and nothing is tried.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pytest_taskleak.storm.adapters import Grouped, Subject

if TYPE_CHECKING:
    from pytest_taskleak.storm.run import Outcome, Run

AXIS = "signal"
SIGNAL = signal.SIGTERM


def begin(run: Run) -> bool:
    """Deliver the signal; return whether anybody handles it.

    Parameters:
        run: its plan's axis is `signal`.
    """
    subject, loop = run.subject, run.loop
    if subject is None or not loop.handles(SIGNAL):
        return False
    run.begin_end()
    run.stopping = True
    main = subject.task if isinstance(subject, Grouped) else None
    if main is not None:
        _await_end(run, main)
    else:
        _stop_later(run, subject)
    loop.send_signal(SIGNAL, at_once=True)
    return True


def _await_end(run: Run, main: asyncio.Task[Any]) -> None:
    """Let the program end when its main coroutine has."""
    run.stops.append(main)
    run.loop.interrupt = main.cancel  # it is what asyncio's runner would cancel
    main.add_done_callback(lambda _: run.natural_end())


def _stop_later(run: Run, subject: Subject) -> None:
    """Stop the service as at a natural end, when it has had its time."""

    async def stop() -> None:
        await asyncio.sleep(run.limits.linger)
        await subject.stop()

    def interrupt() -> None:
        if run.over.done():
            return  # the root waits for the stop already
        waits.cancel()
        run.stopping = False  # the root stops it
        if run.root is not None:
            run.root.cancel()

    waits = run.loop.create_task(stop(), name="stop-0")
    run.harness.add(waits)
    run.stops.append(waits)
    waits.add_done_callback(lambda _: run.natural_end())
    run.loop.interrupt = interrupt


def tried(axis: str, outcomes: Iterable[Outcome], planned: int) -> Iterator[Outcome]:
    """Yield what comes of the runs of an axis, and say so at the end if none of them has done anything.

    Parameters:
        axis: any one; only `signal` can find nobody who cares.
        outcomes: of its runs.
        planned: so many runs the axis has.

    Raises:
        ValueError: all were made, and at no moment a signal is handled.
    """
    ran, hit = 0, axis != AXIS
    for outcome in outcomes:
        ran += 1
        hit = hit or outcome.hit
        yield outcome
    if not hit and ran == planned > 0:
        raise ValueError(
            f"axis {AXIS!r}: at none of the {planned} moments {SIGNAL.name} is handled: it would only have "
            "ended the process; install a handler with loop.add_signal_handler() or signal.signal()"
        )
