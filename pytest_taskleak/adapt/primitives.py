"""Which of asyncio's operations does a frame stand in, and what does a future stand for?

One table: (module, qualified name) of a frame's code -> what is waited for there.  A function of the
table that returns nothing leaves the answer to the next frame inwards.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from types import GeneratorType
from typing import Any

from pytest_taskleak.adapt import details
from pytest_taskleak.adapt.links import callbacks_of, cells, locals_of, pending
from pytest_taskleak.adapt.look import Found, Handler, Look, task_name, type_name, unique, within
from pytest_taskleak.safely import attribute, is_a

GATHERING: Any = getattr(asyncio.tasks, "_GatheringFuture", None)

# --- locks --------------------------------------------------------------------------------------


def lock(look: Look) -> Found:
    """Tell of a lock; one that belongs to a condition is called by the condition's name."""
    thing = look.link.owner()
    state = "locked" if attribute(thing, "_locked") else "free"
    detail = details.joined(state, details.others(attribute(thing, "_waiters")))
    what, inside, named = "asyncio.Lock.acquire()", "", None
    if look.at:
        outer = look.links[look.at - 1].owner()
        if is_a(outer, asyncio.Condition) and attribute(outer, "_lock") is thing:
            named = outer
            if look.name(-1) == "Condition.wait":
                inside = "Condition.wait()"  # it was notified, and wants its lock back
            else:
                what = "asyncio.Condition.acquire()"
    return Found("lock", what, thing, detail, inside=inside, named=named)


def semaphore(look: Look) -> Found:
    """Tell of a semaphore."""
    thing = look.link.owner()
    value, bound = (
        details.number(attribute(thing, "_value")),
        details.number(attribute(thing, "_bound_value")),
    )
    state = f"value {value} of {bound}" if bound else f"value {value}"
    detail = details.joined(state, details.others(attribute(thing, "_waiters")))
    return Found("semaphore", f"asyncio.{type_name(thing)}.acquire()", thing, detail)


def event(look: Look) -> Found:
    """Tell of an event."""
    thing = look.link.owner()
    state = "set" if attribute(thing, "_value") else "not set"
    detail = details.joined(state, details.others(attribute(thing, "_waiters")))
    return Found("event", "asyncio.Event.wait()", thing, detail)


def condition(look: Look) -> Found | None:
    """Tell of a condition; once notified, what is waited for is its lock."""
    if look.name(+1) == "Lock.acquire":
        return None
    thing = look.link.owner()
    held = attribute(attribute(thing, "_lock"), "_locked")
    state = "its lock is locked" if held else "its lock is free"
    detail = details.joined(state, details.others(attribute(thing, "_waiters")))
    return Found("condition", "asyncio.Condition.wait()", thing, detail)


def barrier(look: Look) -> Found:
    """Tell of a barrier."""
    thing = look.link.owner()
    come, wanted = attribute(thing, "_count"), attribute(thing, "_parties")
    detail = f"{details.number(come)} of {details.number(wanted)} parties"
    return Found("barrier", "asyncio.Barrier.wait()", thing, detail)


# --- queues -------------------------------------------------------------------------------------


def queue(look: Look) -> Found:
    """Tell of a queue that is empty or full."""
    thing = look.link.owner()
    method = look.link.name.rpartition(".")[2]
    return Found("queue", f"asyncio.{type_name(thing)}.{method}()", thing, details.queue(thing))


def joined_queue(look: Look) -> Found:
    """Tell of a queue whose work is not done."""
    found = queue(look)
    count = details.number(attribute(found.thing, "_unfinished_tasks"))
    return found._replace(detail=details.joined(f"{count} unfinished", found.detail))


# --- tasks and futures --------------------------------------------------------------------------


def sleep(look: Look) -> Found:
    """Tell of a sleep, and what is left of it."""
    left = details.left_of(look.link.local("h"), look.loop)
    what = f"asyncio.sleep({details.spoken(look.link.local('delay'))})"
    return Found("sleep", what, None, details.remaining(left))


def wait(look: Look) -> Found:
    """Tell of `asyncio.wait()`."""
    futures = unique(look.leaf.local("fs") or ())
    left = unique(f for f in futures if pending(f))
    ends = {"FIRST_COMPLETED": "until the first completes", "FIRST_EXCEPTION": "until the first exception"}
    detail = ends.get(str(look.leaf.local("return_when")), "until all complete")
    timer = details.left_of(look.leaf.local("timeout_handle"), look.loop)
    if timer is not None:
        detail = details.joined(detail, f"{details.seconds(timer)} left")
    return Found("wait", f"asyncio.wait() of {len(futures)}, {len(left)} pending", None, detail, left)


def wait_for(look: Look) -> Found | None:
    """Tell what `wait_for()` waits for, where that runs in a task of its own (3.11)."""
    if look.link is not look.leaf:
        return None
    future = look.link.local("fut")
    if future is None or look.waiter is future:
        return None
    return of_future(future)


def cancelled_and_waited(look: Look) -> Found | None:
    """Tell of the task that a timeout has cancelled, and that goes on."""
    future = look.link.local("fut")
    found = None if future is None else of_future(future)
    return found and found._replace(detail=details.joined("cancelled, and not ended", found.detail))


def as_completed(look: Look) -> Found:
    """Tell of the next of several."""
    todo = attribute(look.link.owner(), "_todo") if look.link.name.startswith("_As") else made_by(look)
    left = unique(f for f in list(todo or ()) if pending(f))
    what = "asyncio.as_completed()" + (f", {len(left)} pending" if todo is not None else "")
    return Found("wait", what, None, "until the next completes", left)


def made_by(look: Look) -> Any:
    """Return the futures of `as_completed()` up to 3.12: its generator knows them, which the caller holds."""
    for link in reversed(look.links[: look.at]):
        for thing in link.held():
            if is_a(thing, GeneratorType) and thing.gi_code is asyncio.as_completed.__code__:
                return None if thing.gi_frame is None else locals_of(thing.gi_frame).get("todo")
    return None


def group(look: Look) -> Found:
    """Tell of the end of a task group."""
    thing = look.link.owner()
    left = unique(t for t in list(attribute(thing, "_tasks") or ()) if pending(t))
    return Found("group", "asyncio.TaskGroup.__aexit__()", thing, f"{len(left)} pending", left)


def of_future(future: Any, depth: int = 3) -> Found:
    """Tell what a future stands for: a task, a gather, a shield, work of a thread, or just itself."""
    if is_a(future, asyncio.Task):
        return Found("task", task_name(future), future, "", (future,))
    # Its instances hide their `__dict__`; the class is asyncio's own, so nothing of the user is run.
    children = future._children if type(future) is GATHERING else None
    if is_a(children, list):
        left = unique(c for c in children if pending(c))
        what = f"asyncio.gather() of {len(children)}, {len(left)} pending"
        return Found("gather", what, future, "", left)
    for callback in callbacks_of(future) if depth else ():
        held = cells(callback)
        code_name = callback.__code__.co_name if held else ""
        if code_name == "_outer_done_callback" and is_a(held.get("inner"), asyncio.Future):
            return shielded(held["inner"], depth)
        if code_name == "_call_check_cancel" and "source" in held:
            return chained(held["source"])
    return Found("future", f"a {type(future).__name__.lstrip('_')}", future, "", (future,))


def shielded(inner: Any, depth: int) -> Found:
    """Tell what is behind a shield."""
    found = of_future(inner, depth - 1)
    kind = "shield" if found.kind in ("task", "future") else found.kind
    inside = within("shield()", found.inside)
    return found._replace(kind=kind, on=(inner,), inside=inside)


def chained(source: Any) -> Found:
    """Tell of a future of another thread: that of an executor, of a task on another loop, or its own."""
    if not is_a(source, concurrent.futures.Future):
        return of_future(source, 0)
    for callback in callbacks_of(source):
        held = cells(callback)
        if is_a(held.get("source"), asyncio.Task) and callback.__code__.co_name == "_call_check_cancel":
            other = held["source"]
            return Found("task", task_name(other), other, "on another loop", (source, other))
    detail = details.work(source)
    if not detail and attribute(source, "_state") == "PENDING":
        return Found("future", "a concurrent.futures.Future", source, "", (source,))
    return Found("executor", "a thread of an executor", source, detail, (source,))


TABLE: dict[tuple[str, str], Handler] = {
    ("asyncio.locks", "Lock.acquire"): lock,
    ("asyncio.locks", "Semaphore.acquire"): semaphore,
    ("asyncio.locks", "Event.wait"): event,
    ("asyncio.locks", "Condition.wait"): condition,
    ("asyncio.locks", "Barrier.wait"): barrier,
    ("asyncio.queues", "Queue.get"): queue,
    ("asyncio.queues", "Queue.put"): queue,
    ("asyncio.queues", "Queue.join"): joined_queue,
    ("asyncio.tasks", "sleep"): sleep,
    ("asyncio.tasks", "_wait"): wait,
    ("asyncio.tasks", "wait_for"): wait_for,
    ("asyncio.tasks", "_cancel_and_wait"): cancelled_and_waited,
    ("asyncio.tasks", "as_completed.<locals>._wait_for_one"): as_completed,
    ("asyncio.tasks", "_AsCompletedIterator._wait_for_one"): as_completed,
    ("asyncio.taskgroups", "TaskGroup.__aexit__"): group,
}
"""(module, qualified name) of the code of asyncio -> what it waits for."""
