"""Of which class is the cause of a leak, and what cures it?

Each class is one row.  A row is chosen by evidence from the code and the objects alone, never by names that
the user gave; where there is none, no class is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """One class of cause.

    Parameters:
        title: the heading of its entry in the docs.
        why: one clause for a report.
        cure: one line to act on; `{name}` is what the code calls the primitive.
        example: how such code reads.
    """

    title: str
    why: str
    cure: str
    example: str


_SENDING = "close the sending end (`async with send:`), so that `{name}` ends, or cancel and await the task"
STREAMS = {
    "no-sentinel": _SENDING,
    "never-fed": _SENDING,
    "producer-died": "let the producer hold the sending end by `async with`, so that `{name}` ends with it",
    "queue-full": "close the receiving end when its reader ends, or cancel and await the sender",
}
"""The cures of a few classes where a stream of objects is meant and no queue."""
SENTINEL = "put a sentinel into `{name}` on which the thread ends, then join() it"
"""The cure where a thread waits for work."""
GATHER = "use asyncio.TaskGroup, which cancels the others when one fails; or cancel and await them yourself"
"""The cure where a gather has left tasks behind."""

CAUSES: Mapping[str, Cause] = {
    "abandoned": Cause(
        "abandoned task",
        "nobody awaits the task or cancels it",
        "keep the task and `await` it before its owner ends, or use `async with asyncio.TaskGroup()`",
        "asyncio.create_task(send(event))",
    ),
    "no-stop": Cause(
        "worker without a stop",
        "it works in a loop, and nobody cancels it",
        "keep the task and end it: `task.cancel()`, then `await` it",
        "while True: await fetch(); await asyncio.sleep(30)",
    ),
    "losers-left": Cause(
        "winner took all",
        "{race} is over, and does not end those that still run",
        "cancel and await what is pending: `for t in pending: t.cancel()`, `await asyncio.wait(pending)`; "
        "or use asyncio.TaskGroup",
        "done, pending = await asyncio.wait(tasks, return_when=FIRST_COMPLETED)",
    ),
    "no-sentinel": Cause(
        "consumer without a sentinel",
        "it consumes in a loop, and nothing tells it that no more will come",
        "put a sentinel (or `{name}.shutdown()` on 3.13), or cancel and await the consumer",
        "while True: item = await queue.get()",
    ),
    "never-fed": Cause(
        "queue that nobody feeds",
        "nothing is put into the queue",
        "let whoever feeds `{name}` say in a `finally` that no more will come, or cancel and await the task",
        "item = await queue.get()",
    ),
    "wait-in-lock": Cause(
        "wait under a lock",
        "it waits under a lock that the one needs who could end the wait",
        "do not wait for `{name}` while holding the lock: take what is needed first, then lock",
        "async with lock: item = await queue.get()  # and put() needs the lock",
    ),
    "producer-died": Cause(
        "producer died",
        "what should have fed it has ended with an exception",
        "let producer and consumer live in one asyncio.TaskGroup, so that the consumer ends with it",
        "await queue.put(parse(line))  # raised",
    ),
    "closed-without-waiting": Cause(
        "closed without waiting",
        "it was cancelled, and nobody waited until it had ended",
        "`await` the task after `cancel()`: `await asyncio.gather(task, return_exceptions=True)`",
        "def close(self): self._task.cancel()",
    ),
    "lock-order": Cause(
        "lock order",
        "the locks are taken in different orders",
        "take the locks in one order everywhere, or hold one lock instead of two",
        "one task: async with a, b - another: async with b, a",
    ),
    "reentry": Cause(
        "lock taken twice",
        "it holds the lock that it waits for, and an asyncio lock is not reentrant",
        "move what needs `{name}` into a function that expects it to be held",
        "async with lock: await self.method_that_takes_the_lock()",
    ),
    "nested-permit": Cause(
        "nested permit",
        "those who hold the permits wait for one more",
        "take all permits at once, or give inner calls a semaphore of their own",
        "async with pool: async with pool: ...",
    ),
    "lock-kept": Cause(
        "lock kept",
        "whoever holds the lock does not give it back",
        "hold `{name}` by `async with`, and wait for nothing of unknown length inside of it",
        "await lock.acquire()  # and no release()",
    ),
    "await-cycle": Cause(
        "tasks that await each other",
        "each of them awaits the other",
        "break the circle: let one of them end without the result of the other",
        "a awaits b, and b awaits a",
    ),
    "dropped-future": Cause(
        "dropped future",
        "nobody who could resolve the future is left",
        "resolve or cancel the future in the `finally` of whoever was to answer",
        "await loop.create_future()",
    ),
    "event-never-set": Cause(
        "event never set",
        "nobody sets the event",
        "call `{name}.set()` in the `finally` of whoever announces it, or cancel and await the task",
        "await ready.wait()",
    ),
    "notify-missing": Cause(
        "condition never notified",
        "nobody notifies the condition",
        "call `{name}.notify_all()` whenever the state changes, also when closing",
        "async with condition: await condition.wait()",
    ),
    "barrier-short": Cause(
        "barrier with too few parties",
        "fewer tasks come to the barrier than it waits for",
        "make the number of parties fit, or `await {name}.abort()` when one of them is missing",
        "asyncio.Barrier(3) with two tasks",
    ),
    "queue-full": Cause(
        "full queue that nobody drains",
        "the queue is full, and nobody takes from it",
        "drain the queue when its consumer ends, or cancel and await the producer",
        "await queue.put(item)  # maxsize reached",
    ),
    "never-drained": Cause(
        "queue that nobody drains",
        "nobody takes what is in the queue",
        "end the consumer of `{name}` only after `await {name}.join()`, or take what is left before closing",
        "await queue.join()  # and the consumer has ended",
    ),
    "group-open": Cause(
        "task of an open group",
        "the TaskGroup that it belongs to is still open",
        "end the task that opened the group: cancel it, then `await` it; its children end with it",
        "async with asyncio.TaskGroup() as group: group.create_task(serve())",
    ),
    "group-undrained": Cause(
        "task of a group without a block",
        "nobody has drained the TrackedTaskGroup that it belongs to",
        "`await group.drain(deadline=...)` when what uses the group stops, or make the task with "
        "background=True if it is to run as long as its test",
        "group = TrackedTaskGroup().open(); group.create_task(serve())",
    ),
    "task-done-missing": Cause(
        "queue never done",
        "`join()` waits for more `task_done()` calls than there will be",
        "call `{name}.task_done()` in a `finally` for every item that was taken",
        "await queue.join()",
    ),
    "swallowed-cancel": Cause(
        "cancelled but swallowed",
        "its code catches the cancellation and goes on",
        "let CancelledError through: catch it only to clean up, then raise it again",
        "except BaseException: continue",
    ),
    "busy-loop": Cause(
        "busy loop",
        "it polls without ever waiting",
        "wait for an asyncio.Event instead of asking again and again, or cancel and await the task",
        "while not self.done: await asyncio.sleep(0)",
    ),
    "blocked-call": Cause(
        "blocking call in a worker thread",
        "the call in the thread does not return, and cancelling the task does not stop it",
        "give the blocking call a timeout or a way to be stopped, and wait for it",
        "await asyncio.to_thread(sock.recv, 1024)",
    ),
    "never-started": Cause(
        "task that never ran",
        "it was created in the last moment and had no turn of the loop",
        "`await` the task that was created, or do not create it",
        "asyncio.create_task(save())  # the last line",
    ),
    "group-never-left": Cause(
        "group that waits for a child",
        "one of the tasks that it waits for cannot end",
        "end the child first; see the finding of the task that it waits for",
        "async with asyncio.TaskGroup() as group: ...",
    ),
    "peer-silent": Cause(
        "silent peer",
        "it waits for the other end of a connection",
        "close the connection when its owner ends, or put the wait under `asyncio.timeout()`",
        "await reader.read()",
    ),
    "child-alive": Cause(
        "child process that lives on",
        "the child process that it waits for does not end",
        "`process.terminate()`, then `await process.wait()`",
        "await process.wait()",
    ),
    "timer-left": Cause(
        "timer left",
        "nobody cancels the timer",
        "keep the handle that call_later() returns, and handle.cancel() it when closing",
        "loop.call_later(30, self.expire)",
    ),
    "timer-rearms": Cause(
        "timer that starts itself again",
        "its callback schedules itself again, and nothing stops it",
        "keep the newest handle and cancel it when closing, or use one task with a loop",
        "def tick(self): self.handle = loop.call_later(1, self.tick)",
    ),
    "thread-no-stop": Cause(
        "thread without a stop",
        "it waits for work or for a signal, and nobody told it to stop",
        "tell the thread to stop (an Event, a sentinel), then join() it",
        "while True: job = jobs.get()",
    ),
    "thread-lock-order": Cause(
        "lock order of threads",
        "the threads take the locks in different orders",
        "take the locks in one order everywhere",
        "one thread: with a, b - another: with b, a",
    ),
    "thread-reentry": Cause(
        "lock taken twice by one thread",
        "it holds the lock that it waits for",
        "use threading.RLock, or do not take `{name}` inside of it",
        "with lock: self.method_that_takes_the_lock()",
    ),
    "thread-join-cycle": Cause(
        "threads that wait for each other",
        "each waits until the other has ended",
        "let one of them end without the other; join() from outside",
        "a.join() in b, and b.join() in a",
    ),
    "thread-blocked": Cause(
        "thread blocked in a call",
        "the call that it is in does not return by itself",
        "close what it reads from, or give the call a timeout, then join() the thread",
        "sock.recv(1024)",
    ),
    "thread-timer": Cause(
        "threading.Timer left",
        "nobody cancels the timer",
        "keep the `threading.Timer`: `timer.cancel()`, then `timer.join()`",
        "threading.Timer(30, refresh).start()",
    ),
    "thread-busy": Cause(
        "busy thread",
        "it runs without waiting",
        "let its loop ask a threading.Event whether to stop, then join() it",
        "while True: self.poll()",
    ),
}
"""Slug -> class of cause."""
