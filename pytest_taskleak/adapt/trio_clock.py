"""How does a run of trio get another clock, and what of its inside says whether it rests?

Private names of trio 0.27 to 0.35; `refusal` probes them.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from pytest_taskleak.adapt.trio import CORE
from pytest_taskleak.timing import now as real_now

NEEDED = ("setup_runner", "GLOBAL_RUN_CONTEXT", "SystemClock")
OURS = "_taskleak_run"
POLLABLE = ("_epoll", "_kqueue")
"""Where trio keeps what it waits with; its descriptor is readable when something is there."""


def core() -> Any:
    """Return trio's module of that name, `None` if trio is not imported."""
    return sys.modules.get(CORE) if "trio" in sys.modules else None


def refusal() -> str:
    """Say why the clock of trio cannot be replaced; empty if it can."""
    missing = [name for name in NEEDED if not hasattr(core(), name)]
    return f"this release of trio has no {', '.join(missing)}" if missing else ""


def in_task() -> bool:
    """Tell whether the calling code runs in a task of trio."""
    return core() is not None and hasattr(core().GLOBAL_RUN_CONTEXT, "task")


def running() -> Any:
    """Return the runner of the calling thread, a guest's also between its ticks; `None` without one."""
    return getattr(core().GLOBAL_RUN_CONTEXT, "runner", None) if core() is not None else None


def has_own_clock(runner: Any) -> bool:
    """Tell whether a run was given a clock."""
    return type(runner.clock) is not core().SystemClock and not hasattr(runner.clock, OURS)


class Setup:
    """Gives each run that begins without a clock one of ours.

    Parameters:
        make: returns a clock and an instrument.
        begun: called with the clock and the runner that has it.
    """

    def __init__(self, make: Callable[[], tuple[Any, Any]], begun: Callable[[Any, Any], None]) -> None:
        self.make = make
        self.begun = begun
        self.original: Any = None
        self.ours: Any = None

    def install(self) -> None:
        """Begin."""
        original = self.original = core().setup_runner

        def setup_runner(clock: Any, instruments: Sequence[Any], *rest: Any, **options: Any) -> Any:
            if clock is not None:
                return original(clock, instruments, *rest, **options)
            clock, instrument = self.make()
            runner = original(clock, [*instruments, instrument], *rest, **options)
            self.begun(clock, runner)
            return runner

        self.ours = core().setup_runner = setup_runner

    def uninstall(self) -> None:
        """End, unless somebody else has replaced ours meanwhile."""
        if self.original is not None and core().setup_runner is self.ours:
            core().setup_runner = self.original
        self.original = None


def replace(runner: Any, clock: Any) -> None:
    """Give another clock to a run that is under way, and let it look at once."""
    runner.clock = clock
    rouse(runner)


def watch(runner: Any, instrument: Any) -> None:
    """Let an instrument see what a run does from here on; for the runner's own thread."""
    runner.instruments.add_instrument(instrument)


def unwatch(runner: Any, instrument: Any) -> None:
    """Let an instrument see nothing any more."""
    if instrument in runner.instruments.data["_all"]:
        runner.instruments.remove_instrument(instrument)


def rouse(runner: Any) -> None:
    """End the wait of a run; from any thread."""
    soon(runner, _nothing, here=False)


def soon(runner: Any, call: Callable[[], Any], *, here: bool) -> None:
    """Let a run call something: at once if that is `here`, in its own thread."""
    if here:
        call()
        return
    try:
        runner.entry_queue.run_sync_soon(call, idempotent=call is _nothing)
    except (RuntimeError, OSError):  # it has ended
        return


def _nothing() -> None:
    """Wake up, no more."""


def waits_for_idle(runner: Any) -> bool:
    """Tell whether a task waits until all others wait."""
    return bool(runner.waiting_for_idle)


def is_guest(runner: Any) -> bool:
    """Tell whether a run is the guest of another loop."""
    return bool(runner.is_guest)


def queued(runner: Any) -> bool:
    """Tell whether another thread has left something to do, or a task is about to run."""
    return bool(runner.entry_queue.size() or runner.runq)


def poll_of(runner: Any) -> Callable[[], bool]:
    """Return what tells whether a run has something to read or to do, without taking it away.

    Where trio waits in another way (on Windows) that is not known; it then sees it a turn later.
    """
    inner = next(
        (found for name in POLLABLE if (found := getattr(runner.io_manager, name, None)) is not None), None
    )
    if inner is None or not hasattr(select, "poll"):
        return lambda: False
    poll = select.poll()
    poll.register(inner.fileno(), select.POLLIN)

    def stirs(_poll: Callable[[int], list[Any]] = poll.poll) -> bool:
        return bool(_poll(0))

    return stirs


def descriptors(runner: Any) -> Iterator[int]:
    """Yield the descriptors for which tasks wait, but for that by which trio wakes itself."""
    own = getattr(getattr(runner.entry_queue, "wakeup", None), "wakeup_sock", None)
    waker = -1 if own is None else own.fileno()
    table: Any = getattr(runner.io_manager, "_registered", None)
    for key, waiters in list(table.items()) if hasattr(table, "items") else ():
        fd = key[0] if type(key) is tuple else key  # kqueue keeps (descriptor, filter)
        if fd != waker and (type(key) is tuple or waiters.read_task or waiters.write_task):
            yield fd


def furnish(clock: Any, **methods: Any) -> Any:
    """Replace methods of a clock by ours, and mark it as ours."""
    for name, method in methods.items():
        setattr(clock, name, method)
    setattr(clock, OURS, True)
    return clock


def going_on(now: float) -> Any:
    """Return a clock of trio that shows `now` and goes on with the speed of real time."""
    from trio.abc import Clock

    shift = now - real_now()
    methods = {
        "start_clock": lambda _: None,
        "current_time": lambda _: real_now() + shift,
        "deadline_to_sleep_time": lambda _, deadline: deadline - real_now() - shift,
    }
    return furnish(type("GoingOn", (Clock,), methods)())


def strike(runner: Any, take: Callable[[], BaseException]) -> None:
    """Raise an exception in the main task of a run where it waits; for the runner's own thread.

    Parameters:
        runner: trio's.
        take: returns the exception, once it is sure that it is raised.
    """
    task = runner.main_task
    if task is None or task._abort_func is None:
        return

    def raise_it() -> NoReturn:
        raise take()

    task._attempt_abort(raise_it)


def cancel(runner: Any) -> None:
    """Cancel the main task of a run, and whatever it has started; for the runner's own thread."""
    if runner.main_task is not None:
        runner.main_task.parent_nursery.cancel_scope.cancel()


def fail(runner: Any, failure: BaseException) -> None:
    """Let an exception be the result of a run that has ended."""
    from outcome import Error

    runner.main_task_outcome = Error(failure)


def next_deadline(runner: Any) -> float:
    """Return the nearest deadline of a run's scopes, `inf` without one."""
    return float(runner.deadlines.next_deadline())
