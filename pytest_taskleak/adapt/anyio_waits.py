"""Which of anyio's operations does a frame stand in, on its asyncio backend?

anyio's primitives are made of asyncio's; the outermost frame of anyio says which one it is.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Iterator
from typing import Any

from pytest_taskleak.adapt import anyio as anyio_
from pytest_taskleak.adapt import asyncio_, details, sockets
from pytest_taskleak.adapt.anyio import BACKEND
from pytest_taskleak.adapt.asyncio_ import Task
from pytest_taskleak.adapt.links import chain_of, pending
from pytest_taskleak.adapt.look import Found, Handler, Look, task_name, type_name, unique
from pytest_taskleak.adapt.naming import dict_of
from pytest_taskleak.adapt.task_steps import NumberedTask
from pytest_taskleak.safely import attribute, is_a

KNOWN = (asyncio.Task, NumberedTask)
MOST_SCOPES = 50


def caller_in(look: Look, *names: str) -> Any:
    """Return the object whose method of one of these names led here: an adapter or a condition."""
    outer = None
    for link in reversed(look.links[: look.at]):
        if not link.module.startswith("anyio"):
            break
        if link.name in names:
            outer = link.owner()
    return outer


# --- primitives ---------------------------------------------------------------------------------


def lock(look: Look) -> Found:
    """Tell of a lock; anyio knows the task that holds it."""
    thing = look.link.owner()
    owner = attribute(thing, "_owner_task")
    state = "free" if owner is None else f"locked by {task_name(owner)}"
    detail = details.joined(state, details.others(attribute(thing, "_waiters")))
    outer = caller_in(look, "LockAdapter.acquire", "LockAdapter.__aenter__")
    what, inside = "anyio.Lock.acquire()", ""
    within = caller_in(look, "Condition.acquire")
    if within is not None:
        outer, what = within, "anyio.Condition.acquire()"
        if caller_in(look, "Condition.wait") is within:
            what, inside = "anyio.Lock.acquire()", "Condition.wait()"
    return Found("lock", what, thing, detail, inside=inside, named=outer)


def owner_of(lock_: Any) -> Any:
    """Return the task that holds a lock of anyio, `None` for any other lock or if it is free."""
    inner = attribute(lock_, "_internal_lock")
    owner = attribute(lock_ if inner is None else inner, "_owner_task")
    return owner if is_a(owner, asyncio.Task) else None


def semaphore(look: Look) -> Found:
    """Tell of a semaphore."""
    thing = look.link.owner()
    value, most = details.number(attribute(thing, "_value")), details.number(attribute(thing, "_max_value"))
    state = f"value {value} of {most}" if most else f"value {value}"
    detail = details.joined(state, details.others(attribute(thing, "_waiters")))
    return Found(
        "semaphore",
        "anyio.Semaphore.acquire()",
        thing,
        detail,
        named=caller_in(look, "SemaphoreAdapter.acquire"),
    )


def limiter(look: Look) -> Found:
    """Tell of a capacity limiter."""
    thing = look.link.owner()
    taken = details.size_of(attribute(thing, "_borrowers"))
    detail = details.joined(
        f"{taken} of {details.number(attribute(thing, '_total_tokens'))} tokens taken",
        details.others(attribute(thing, "_wait_queue")),
    )
    outer = caller_in(look, *(f"CapacityLimiterAdapter.{n}" for n in ("__aenter__", "acquire")))
    return Found("limiter", "anyio.CapacityLimiter.acquire()", thing, detail, named=outer)


def event(look: Look) -> Found:
    """Tell of an event."""
    thing = look.link.owner()
    inner = attribute(thing, "_event")
    state = "set" if attribute(inner, "_value") else "not set"
    detail = details.joined(state, details.others(attribute(inner, "_waiters")))
    return Found("event", "anyio.Event.wait()", thing, detail, named=caller_in(look, "EventAdapter.wait"))


def condition(look: Look) -> Found | None:
    """Tell of a condition; once notified, what is waited for is its lock."""
    if look.name(+1) == "Condition.acquire":
        return None
    thing = look.link.owner()
    held = attribute(thing, "_lock")
    held = attribute(held, "_internal_lock") or held
    state = "its lock is free" if attribute(held, "_owner_task") is None else "its lock is locked"
    detail = details.joined(state, details.others(attribute(thing, "_waiters")))
    return Found("condition", "anyio.Condition.wait()", thing, detail)


def memory(look: Look) -> Found:
    """Tell of a memory object stream: what is in its buffer, and how many ends are open."""
    thing = look.link.owner()
    state = attribute(thing, "_state")
    used, most = details.size_of(attribute(state, "buffer")), attribute(state, "max_buffer_size")
    bounded = is_a(most, int | float) and most != math.inf
    senders, receivers = (attribute(state, f"open_{end}_channels") for end in ("send", "receive"))
    detail = details.joined(
        f"buffer {used} of {details.number(most)}" if bounded else f"buffer {used}",
        f"{details.number(senders)} open to send",
        f"{details.number(receivers)} to receive",
    )
    return Found("memory-stream", f"anyio.{look.link.name}()", thing, detail)


# --- tasks and time -----------------------------------------------------------------------------


def sleep(look: Look) -> Found:
    """Tell of a sleep, and what is left of it."""
    given = look.link.local("delay" if look.link.name == "sleep" else "deadline")
    left = details.left_of(look.leaf.local("h"), look.loop)
    detail = details.remaining(left)
    return Found("sleep", f"anyio.{look.link.name}({details.spoken(given)})", None, detail)


def group(look: Look) -> Found | None:
    """Tell of the end of a task group."""
    thing = look.link.owner()
    left = unique(t for t in list(attribute(thing, "_tasks") or ()) if pending(t))
    return (
        Found("group", "anyio.TaskGroup.__aexit__()", thing, f"{len(left)} pending", left) if left else None
    )


def starting(look: Look) -> Found:
    """Tell of `TaskGroup.start()`, which waits until the task says that it has started."""
    thing = look.link.owner()
    task = run_by(look.link.local("handle"), list(attribute(thing, "_tasks") or ()))
    if task is None:
        task = look.link.local("task")  # before there were handles
    on = (task,) if is_a(task, asyncio.Task) else ()
    detail = f"{task_name(task)} has not called started()" if on else ""
    return Found("group", "anyio.TaskGroup.start()", thing, detail, on)


def run_by(handle_: Any, tasks: Iterable[Any]) -> Any:
    """Return the task that runs the coroutine of a handle."""
    if handle_ is not None:
        for task in tasks:
            first = next(iter(chain_of(asyncio_.coro_of(task))), None)
            if first is not None and first.owner() is handle_:
                return task
    return None


def handle(look: Look) -> Found:
    """Tell of the wait for a task through its handle."""
    thing = look.link.owner()
    task = run_by(thing, asyncio_.tasks_of(look.loop))
    if task is None:
        return Found("task", f"anyio.{look.link.name}()", thing)
    return Found("task", task_name(task), task, "", (task,), named=thing)


def future(look: Look) -> Found:
    """Tell of a future of anyio."""
    return Found("future", "an anyio.Future", look.link.owner())


# --- threads, processes, sockets ----------------------------------------------------------------


def thread(look: Look) -> Found | None:
    """Tell of a call in a worker thread, once it has got its token."""
    if look.leaf is not look.link:
        return None
    called = details.called_as(look.link.local("func"))
    worker = look.link.local("worker")
    return Found("thread", "anyio.to_thread.run_sync()", worker, details.in_thread(called, worker))


def process(look: Look) -> Found:
    """Tell of a child process."""
    thing = look.link.owner()
    return Found("process", "anyio.Process.wait()", thing, details.process(attribute(thing, "_process")))


def stream(look: Look) -> Found:
    """Tell of a connection over the network."""
    thing = look.link.owner()
    owns = (value for name, value in dict_of(thing).items() if name.endswith("__raw_socket"))
    own = next(owns, None)
    carrier = attribute(thing, "_transport")
    detail = details.socket(own) if is_a(own, sockets.Socket) else details.transport(carrier)
    return Found(
        "stream", f"anyio.{type_name(thing, 'anyio')}.{look.link.name.rpartition('.')[2]}()", thing, detail
    )


def bare_socket(look: Look) -> Found:
    """Tell of a socket or descriptor that is waited for."""
    own = look.link.local("obj")
    name = look.link.name.rpartition(".")[2]
    return Found("stream", f"anyio.{name}()", own, details.socket(own) or f"fd {details.number(own)}".strip())


_CORE = "anyio._core._synchronization"
_MEMORY = "anyio.streams.memory"

TABLE: dict[tuple[str, str], Handler] = {
    (BACKEND, "Lock.acquire"): lock,
    (BACKEND, "Semaphore.acquire"): semaphore,
    (BACKEND, "CapacityLimiter.acquire"): limiter,
    (BACKEND, "CapacityLimiter.acquire_on_behalf_of"): limiter,
    (BACKEND, "Event.wait"): event,
    (_CORE, "Condition.wait"): condition,
    (_MEMORY, "MemoryObjectReceiveStream.receive"): memory,
    (_MEMORY, "MemoryObjectSendStream.send"): memory,
    **{("anyio._core._eventloop", name): sleep for name in ("sleep", "sleep_forever", "sleep_until")},
    (BACKEND, "TaskGroup.__aexit__"): group,
    (BACKEND, "TaskGroup.start"): starting,
    ("anyio._core._tasks", "TaskHandle.wait"): handle,
    ("anyio._core._tasks", "TaskHandle.__await__"): handle,
    ("anyio._core._futures", "Future.wait"): future,
    (BACKEND, "AsyncIOBackend.run_sync_in_worker_thread"): thread,
    (BACKEND, "Process.wait"): process,
    **{
        (BACKEND, f"{kind}.{name}"): stream
        for kind in (
            "SocketStream",
            "UNIXSocketStream",
            "UDPSocket",
            "ConnectedUDPSocket",
            "UNIXDatagramSocket",
        )
        for name in ("receive", "send")
    },
    (BACKEND, "TCPSocketListener.accept"): stream,
    (BACKEND, "UNIXSocketListener.accept"): stream,
    (BACKEND, "AsyncIOBackend.wait_readable"): bare_socket,
    (BACKEND, "AsyncIOBackend.wait_writable"): bare_socket,
}
"""(module, qualified name) of the code of anyio -> what it waits for."""


# --- cancel scopes ------------------------------------------------------------------------------


def scopes_of(task: Task) -> Iterator[Any]:
    """Yield the cancel scopes that can end what a task waits for, up to the first that shields it."""
    states = getattr(anyio_.backend(), "_task_states", None)
    if states is None or type(task) not in KNOWN:  # another class may hash and compare as it likes
        return
    scope = getattr(states.get(task), "cancel_scope", None)
    for _ in range(MOST_SCOPES):
        if scope is None:
            return
        yield scope
        if getattr(scope, "_shield", False):
            return
        scope = getattr(scope, "_parent_scope", None)


def timers_of(task: Task) -> Iterator[Any]:
    """Yield the timers of those scopes."""
    yield from (x for scope in scopes_of(task) if (x := getattr(scope, "_timeout_handle", None)) is not None)


def scope_of(task: Task) -> str:
    """Name the scope with a deadline that a task is in; empty if there is none."""
    return "CancelScope()" if next(timers_of(task), None) is not None else ""
