"""How does a task wait?  What tasks run, the primitives they wait for, and the forms a wait can have.

Whatever a task has after its wait it uses: what a live task holds is reached.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any

from holders import SERIAL, later
from programs import FUTURES, Prim
from reaching import Phase, touch

TASKS: list[asyncio.Task[Any]] = []
"""Every task of the world; a container of the harness."""
Wait = Callable[[str, list[Any]], Coroutine[Any, Any, None]]


async def live(serial: int, index: int, seat: list[Any], eager: bool) -> None:
    """Wait as the seat says, then tell that it went on and use everything at hand."""
    if eager:
        await asyncio.sleep(0)
    kind, on, stuff, spec = seat.pop()
    del seat
    at_hand = None if spec.thin else tuple(on)
    wait = STYLES[spec.style](WAITS.get(kind, wait_prim), kind, on)
    del on
    try:
        if spec.timeout:
            async with asyncio.timeout(Phase.delay):
                await wait
        else:
            await wait
    except (Exception, asyncio.CancelledError):
        if not Phase.running_on and spec.wait != "cancelled":
            raise
    if serial == Phase.serial:
        Phase.ran.add(index)
        if Phase.running_on:
            touch([at_hand, stuff])
            touch(list(contextvars.copy_context().values()))


async def wait_prim(kind: str, on: list[Any]) -> None:
    """Wait for one primitive."""
    prim = on.pop()
    if kind in FUTURES:
        await prim
    elif kind == "queue_get":
        await prim.get()
    elif kind == "queue_put":
        await prim.put(None)
    elif kind == "queue_join":
        await prim.join()
    elif kind == "condition":
        async with prim:
            await prim.wait()
    elif kind == "wrapped":
        await asyncio.wrap_future(prim)
    elif kind in ("event", "barrier"):
        await prim.wait()
    else:
        async with prim:
            pass


async def wait_one(kind: str, on: list[Any]) -> None:
    """Wait for a task or a future."""
    if kind == "shield":
        await asyncio.shield(on.pop())
    elif kind == "wait_for":
        await asyncio.wait_for(on.pop(), Phase.delay)
    else:
        await on.pop()


async def wait_many(kind: str, on: list[Any]) -> None:
    """Wait for several tasks or futures."""
    if kind == "gather":
        await asyncio.gather(*on)
    elif kind == "gather_all":
        await asyncio.gather(*on, return_exceptions=True)
    else:
        when = asyncio.FIRST_COMPLETED if kind == "wait_any" else asyncio.ALL_COMPLETED
        await asyncio.wait(on, return_when=when)


async def wait_group(kind: str, on: list[Any]) -> None:
    """Wait for the children of a task group."""
    async with asyncio.TaskGroup() as group:
        while on:
            index, seat = on.pop()
            TASKS.append(group.create_task(live(SERIAL[0], index, seat, True), name=f"t{index}"))


async def wait_time(kind: str, on: list[Any]) -> None:
    """Wait for a timer, or not at all."""
    if kind == "sleep":
        await asyncio.sleep(Phase.delay)
    while kind == "spin" and not Phase.running_on:
        await asyncio.sleep(0)


WAITS: dict[str, Wait] = {
    **dict.fromkeys(("task", "shield", "wait_for"), wait_one),
    **dict.fromkeys(("gather", "gather_all", "wait_any", "wait_all"), wait_many),
    **dict.fromkeys(("sleep", "spin", "done"), wait_time),
    "group": wait_group,
}


def plain(wait: Wait, kind: str, on: list[Any]) -> Awaitable[None]:
    """Wait in the task's own coroutine."""
    return wait(kind, on)


async def nested(wait: Wait, kind: str, on: list[Any]) -> None:
    """Wait in a coroutine of a coroutine."""
    await plain(wait, kind, on)


async def _items(wait: Wait, kind: str, on: list[Any]) -> AsyncIterator[None]:
    await wait(kind, on)
    yield


async def agen(wait: Wait, kind: str, on: list[Any]) -> None:
    """Wait in an async generator."""
    async for _ in _items(wait, kind, on):
        pass


async def anext_(wait: Wait, kind: str, on: list[Any]) -> None:
    """Wait by anext()."""
    await anext(_items(wait, kind, on), None)


class Awaiting:
    """An object that can be awaited."""

    def __init__(self, wait: Wait, kind: str, on: list[Any]) -> None:
        self.parts = (wait, kind, on)

    def __await__(self) -> Generator[Any, None, None]:
        wait, kind, on = self.parts
        return (yield from wait(kind, on).__await__())


@types.coroutine
def generator(wait: Wait, kind: str, on: list[Any]) -> Generator[Any, None, None]:
    """Wait in a generator that is a coroutine."""
    yield from wait(kind, on).__await__()


@contextlib.asynccontextmanager
async def _entered(held: Any) -> AsyncIterator[Any]:
    yield held


async def within(wait: Wait, kind: str, on: list[Any]) -> None:
    """Wait in a block whose context manager holds something."""
    async with _entered(list(on)):
        await wait(kind, on)


async def swallow(wait: Wait, kind: str, on: list[Any]) -> None:
    """Wait after having waited, with an exception at hand."""
    try:
        raise KeyError(list(on))
    except KeyError:
        await wait(kind, on)


STYLES: dict[str, Callable[[Wait, str, list[Any]], Awaitable[None]]] = {
    "plain": plain, "nested": nested, "agen": agen, "anext": anext_, "awaitable": Awaiting, "generator": generator,
    "within": within, "swallow": swallow,
}  # fmt: skip


# Primitives


def make_prim(kind: str, children: list[Any]) -> Any:
    """Make a primitive for which one has to wait."""
    if kind == "gather":
        return asyncio.gather(*children)
    if kind == "gather_all":
        return asyncio.gather(*children, return_exceptions=True)
    if kind == "shield":
        return asyncio.shield(children[0])
    if kind == "wrapped":
        return concurrent.futures.Future()
    if kind == "future":
        return asyncio.get_running_loop().create_future()
    if kind in ("queue_get", "queue_put", "queue_join"):
        queue: asyncio.Queue[Any] = asyncio.Queue(1)
        if kind == "queue_join":
            queue.put_nowait(None)
        return queue
    return _sync_prim(kind)


def _sync_prim(kind: str) -> Any:
    if kind == "event":
        return asyncio.Event()
    if kind == "condition":
        return asyncio.Condition()
    if kind == "semaphore":
        return asyncio.Semaphore(0)
    if kind == "barrier":
        return asyncio.Barrier(20)
    taken: Any = asyncio.BoundedSemaphore(1) if kind == "bounded" else asyncio.Lock()
    with contextlib.suppress(StopIteration):
        taken.acquire().send(None)
    return taken


def fill(spec: Prim, prim: Any, targets: list[Any]) -> None:
    """Let a primitive hold what it is to hold."""
    if spec.kind == "future":
        for target in targets:
            prim.add_done_callback(later(target))
    elif spec.kind == "queue_put":
        prim.put_nowait(targets[0] if targets else None)
