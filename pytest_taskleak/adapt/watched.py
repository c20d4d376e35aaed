"""How does a turn of a loop go whose orders a seed chooses, and which is put down?"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from pytest_taskleak.adapt import task_steps
from pytest_taskleak.adapt.stepping import BUSY, POLL_MASK
from pytest_taskleak.adapt.task_steps import WAKE, ThreadSafeHandle, step_of
from pytest_taskleak.adapt.turns import drop_cancelled, run_slowly


def watched_turn(driver: Any) -> Callable[[], None]:
    """Return one turn of a loop, in place of its `_run_once`.

    Parameters:
        driver: see `StepDriver`.
    """
    loop, ready, time, run = driver.loop, driver.ready, driver.time, runner(driver)
    fds, signals, plan = driver.fds, driver.signals, driver.plan
    given, turns = driver.given, 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        heap = drop_cancelled(loop) if loop._timer_cancelled_count else loop._scheduled
        driver.bring_back()
        looks = len(fds) > 1 or signals or not turns & POLL_MASK
        found = None
        if ready or loop._stopping:
            driver.busy = busy = driver.busy + 1
            if busy >= BUSY:
                driver.tired()
            if looks:
                found = driver.poll()
        else:
            driver.busy = 0
            found = driver.poll() if looks else None
            if not found and not ready:
                if heap and not heap[0]._cancelled and time.easy() and not (ready or given):
                    time.move(driver.due() + time.settings.lateness)
                else:
                    found = (not looks and driver.poll()) or driver.rest()
        soon = len(ready)
        if found:
            loop._process_events(in_order(found, driver) if plan.chooses and len(found) > 1 else found)
        here = len(ready)
        if loop._scheduled:
            ready.extend(timers_due(loop, driver))
        if ready:
            run(soon, here)

    return turn


def in_order(found: Any, driver: Any) -> Any:
    """Return events in the order that the seed chooses; they are known by the order of registration."""
    places = {fd: place for place, fd in enumerate(driver.fds)}
    return driver.plan.events(driver.turn, found, lambda event: places.get(event[0].fd, -1))


def timers_due(loop: Any, driver: Any) -> list[Any]:
    """Take the timers that are due off the heap, those of one time in the order that the seed chooses."""
    heap, end = loop._scheduled, loop.time() + loop._clock_resolution
    due: list[Any] = []
    tie = 0
    while heap and heap[0]._when < end:
        handle = heapq.heappop(heap)
        handle._scheduled = False
        if due and handle._when != due[-1]._when:
            tie = len(due)
        due.append(handle)
        if len(due) - tie > 1 and not (heap and heap[0]._when == handle._when) and driver.plan.chooses:
            due[tie:] = driver.plan.ties(driver.nanoseconds(handle._when - driver.offset), due[tie:])
    return due


def reorder(ready: Any, count: int, driver: Any) -> None:
    """Put the tasks that are woken in the order that the seed chooses.

    Parameters:
        ready: the queue; other threads do not add to it, and nobody runs anything meanwhile.
        count: how many of it were made ready by other callbacks.
        driver: see `StepDriver`.
    """
    batch = [handle for _, handle in zip(range(count), ready, strict=False)]
    steps = [(None, None) if handle._cancelled else step_of(handle._callback) for handle in batch]
    woken = [task if sort == WAKE else None for sort, task in steps]
    canonical(batch, woken, driver.numbering)
    if driver.plan.wakes:
        waking = driver.numbering.waking
        batch = driver.plan.woken(batch, [None if task is None else waking(task) for task in woken]) or batch
    for _ in batch:
        ready.popleft()
    ready.extendleft(reversed(batch))


def canonical(batch: list[Any], woken: list[Any], numbering: Any) -> None:
    """Sort neighbours that were cancelled by birth where their own class lets sets order them by address.

    Parameters:
        batch: handles; sorted in place.
        woken: the task that each wakes, or `None`; sorted alike.
        numbering: the numbers of the loop's tasks.
    """
    start = 0
    for end in range(len(batch) + 1):
        if end < len(batch) and woken[end] is not None and task_steps.was_cancelled(batch[end]._args):
            continue
        run = woken[start:end]
        if len(run) > 1 and any(type(task) is not task_steps.NumberedTask for task in run):
            order = sorted(range(start, end), key=lambda place: numbering.of(woken[place]))
            batch[start:end] = [batch[place] for place in order]
            woken[start:end] = [woken[place] for place in order]
        start = end + 1


def runner(driver: Any) -> Callable[[int, int], None]:
    """Return what runs all that is ready, and puts it down."""
    loop, ready, trace = driver.loop, driver.ready, driver.trace
    add, labels, number = trace.add, Labels(trace), driver.numbering.of
    plan = driver.plan

    def run(soon: int, here: int) -> None:
        if plan.chooses and soon > 1:
            reorder(ready, soon, driver)
        now = driver.nanoseconds(driver.time.now)
        counted = False
        for place in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            if not silent(handle, driver):
                if not counted:
                    driver.turn += 1
                    counted = True
                sort, task = step_of(handle._callback)
                if task is not None:
                    add(driver.turn, now, number(task), labels.of_task(sort, task))
                elif task_steps.result_of_call(handle._args) is not None:
                    add(driver.turn, now, -1, labels.label("back", "from a thread"))
                else:
                    word = sort if place < soon else "event" if place < here else "timer"
                    add(driver.turn, now, -1, labels.of_callback(word, handle._callback))
                if driver.before is not None:
                    driver.before(len(trace) - 1)
            if loop._debug:
                run_slowly(loop, handle)
            else:
                handle._run()
        handle = None  # no cycle when an exception comes up

    return run


def silent(handle: Any, driver: Any) -> bool:
    """Tell whether a callback does nothing to be noticed: it empties the pipe, or comes too late."""
    if handle is driver.pipe or task_steps.only_looks(handle._callback):
        return True
    future = task_steps.result_of_call(handle._args)
    return future is not None and bool(future.done())


class Labels:
    """The labels of a trace by what they name.

    Parameters:
        trace: has `label()`.
    """

    def __init__(self, trace: Any) -> None:
        self.trace = trace
        self.known: dict[tuple[str, str], int] = {}

    def of_task(self, sort: str, task: Any) -> int:
        """Return the label of a step of a task."""
        return self.label(sort, task_steps.task_name(task))

    def of_callback(self, sort: str, callback: Any) -> int:
        """Return the label of a callback."""
        return self.label(sort, task_steps.callback_name(callback))

    def label(self, sort: str, name: str) -> int:
        """Return the label of what has this name."""
        found = self.known.get((sort, name))
        if found is None:
            found = self.known[sort, name] = self.trace.label(f"{sort} {name}")
        return found


def given_handle(loop: Any, callback: Any, args: Any, context: Any) -> Any:
    """Return a handle of what another thread wants a loop to call, as `call_soon_threadsafe` makes it."""
    loop._check_closed()
    if loop._debug:
        loop._check_callback(callback, "call_soon_threadsafe")
    handle: Any = ThreadSafeHandle(callback, args, loop, context)
    if handle._source_traceback:
        del handle._source_traceback[-1]
    return handle


def callback_label(handle: Any) -> str:
    """Return what a handle has called, by name."""
    callback = handle._callback
    return "a callback" if callback is None else task_steps.callback_name(callback)


def args_of(handle: Any) -> Any:
    """Return the arguments of a handle, `None` once it is cancelled."""
    return handle._args


def pipe_handle(fds: Any, fd: int) -> Any:
    """Return the handle by which a loop empties its own pipe."""
    key = fds.get(fd) if type(fds) is dict else None
    data = getattr(key, "data", None)
    return data[0] if type(data) is tuple and data else None
