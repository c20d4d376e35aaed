"""What may a program do with time, and what is seen of it from outside?

A program is a tree of statements; whoever runs it notes each end of a statement with the time.  Delays are
whole numbers of a unit that the runner chooses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

Body = tuple["Statement", ...]
GUARDS = ("timeout", "timeout_at", "reschedule", "wait_for", "wait", "cancel")
GROUPS = ("gather", "gather all", "group", "first", "completed", "shield")
PRIMITIVES = 2
"""How many events, queues and locks there are."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a program does.

    Parameters:
        kind: which.
        delay: in units.
        which: of the events, queues or locks; or how often something is repeated.
        bodies: what it holds.
    """

    kind: str
    delay: int = 0
    which: int = 0
    bodies: tuple[Body, ...] = ()


def statements(delays: st.SearchStrategy[int]) -> st.SearchStrategy[Body]:
    """Return a strategy for the body of a program.

    Parameters:
        delays: those that it has.
    """
    which = st.integers(0, PRIMITIVES - 1)
    timed = st.builds(
        Statement, st.sampled_from(("sleep", "sleep", "later", "at", "dropped", "set later")), delays, which
    )
    plain = st.builds(
        Statement,
        st.sampled_from(("hop", "set", "clear", "wait", "put", "get", "fail")),
        which=which,
    )

    def deeper(inner: st.SearchStrategy[Body]) -> st.SearchStrategy[Body]:
        one = st.tuples(inner)
        several = st.lists(inner, min_size=1, max_size=3).map(tuple)
        holding = st.one_of(
            st.builds(Statement, st.sampled_from(GUARDS), delays, which, one),
            st.builds(Statement, st.sampled_from(GROUPS), bodies=several),
            st.builds(Statement, st.just("lock"), which=which, bodies=one),
        )
        return st.lists(st.one_of(timed, plain, holding), min_size=1, max_size=4).map(tuple)

    leaves = st.lists(st.one_of(timed, timed, plain), min_size=1, max_size=3).map(tuple)
    return st.recursive(leaves, deeper, max_leaves=8)


@dataclass
class Run:
    """One run of a program.

    Parameters:
        unit: what a delay of one is, in seconds.
    """

    unit: Callable[[int], Any]
    seen: list[tuple[Any, str]] = field(default_factory=list)
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    timers: list[asyncio.TimerHandle] = field(default_factory=list)

    async def whole(self, body: Body, limit: int) -> list[tuple[Any, str]]:
        """Run a program for at most `limit` units; return what was seen of it."""
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()
        self.events = [asyncio.Event() for _ in range(PRIMITIVES)]
        self.queues: list[asyncio.Queue[str]] = [asyncio.Queue() for _ in range(PRIMITIVES)]
        self.locks = [asyncio.Lock() for _ in range(PRIMITIVES)]
        try:
            async with asyncio.timeout(self.unit(limit)):
                await self.body(body, "")
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 -- noted like anything else
            self.note("end", error)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for timer in self.timers:
            timer.cancel()
        return list(self.seen)

    def note(self, place: str, error: BaseException | None = None) -> None:
        """Note that something is done."""
        text = f"{place} {type(error).__name__}" if error is not None else place
        self.seen.append((self.loop.time() - self.began, text))

    async def body(self, body: Body, place: str) -> str:
        """Run statements one after the other."""
        for number, statement in enumerate(body):
            here = f"{place}.{number} {statement.kind}"
            try:
                if statement.bodies:
                    await self.compound(statement, here)
                else:
                    await self.simple(statement, here)
            except BaseException as error:
                self.note(here, error)
                raise
            self.note(here)
        return place

    async def simple(self, statement: Statement, here: str) -> None:
        """Run a statement that holds no others."""
        kind, delay = statement.kind, self.unit(statement.delay)
        event, queue = self.events[statement.which], self.queues[statement.which]
        if kind == "sleep":
            await asyncio.sleep(delay)
        elif kind == "later":
            self.timers.append(self.loop.call_later(delay, self.note, f"{here} fired"))
        elif kind == "at":
            self.timers.append(self.loop.call_at(self.loop.time() + delay, self.note, f"{here} fired"))
        elif kind == "dropped":
            self.loop.call_later(delay, self.note, f"{here} fired").cancel()
        elif kind == "set later":
            self.timers.append(self.loop.call_later(delay, event.set))
        elif kind == "hop":
            await asyncio.sleep(0)
        elif kind == "set":
            event.set()
        elif kind == "clear":
            event.clear()
        elif kind == "wait":
            await event.wait()
        elif kind == "put":
            queue.put_nowait(here)
        elif kind == "get":
            self.note(f"{here} got {await queue.get()}")
        else:
            raise ValueError(here)

    def task(self, body: Body, place: str) -> asyncio.Task[str]:
        """Run statements in a task of their own."""
        task = asyncio.create_task(self.body(body, place))
        self.tasks.append(task)
        return task

    async def compound(self, statement: Statement, here: str) -> None:
        """Run a statement that holds others; an error of theirs ends here."""
        try:
            if statement.kind in GUARDS:
                await self.guarded(statement, here)
            elif statement.kind == "lock":
                async with self.locks[statement.which]:
                    await self.body(statement.bodies[0], f"{here} held")
            else:
                await self.together(statement, here)
        except Exception as error:  # noqa: BLE001 -- noted, and that is all
            self.note(here, error)

    async def guarded(self, statement: Statement, here: str) -> None:
        """Run statements for a limited time."""
        kind, (inner,), delay = statement.kind, statement.bodies, self.unit(statement.delay)
        if kind == "wait_for":
            await asyncio.wait_for(self.body(inner, here), delay)
        elif kind == "timeout":
            async with asyncio.timeout(delay):
                await self.body(inner, here)
        elif kind == "timeout_at":
            async with asyncio.timeout_at(self.loop.time() + delay):
                await self.body(inner, here)
        elif kind == "reschedule":
            async with asyncio.timeout(None) as timeout:
                timeout.reschedule(self.loop.time() + delay)
                await self.body(inner, here)
        elif kind == "wait":
            done, _ = await asyncio.wait([self.task(inner, here)], timeout=delay)
            self.note(f"{here} {len(done)} done")
        else:
            task = self.task(inner, here)
            handle = self.loop.call_later(delay, task.cancel)
            try:
                await asyncio.wait([task])
            finally:
                handle.cancel()
            self.note(f"{here} cancelled" if task.cancelled() else here, task.cancelled() or task.exception())  # type: ignore[arg-type]

    async def together(self, statement: Statement, here: str) -> None:
        """Run statements side by side."""
        kind = statement.kind
        if kind == "group":  # of one: the order in which a group cancels several is nobody's promise
            async with asyncio.TaskGroup() as group:
                self.tasks.append(group.create_task(self.body(statement.bodies[0], f"{here} child")))
                for number, inner in enumerate(statement.bodies[1:]):
                    await self.body(inner, f"{here} {number}")
            return
        tasks = [self.task(inner, f"{here} {number}") for number, inner in enumerate(statement.bodies)]
        if kind == "gather":
            await asyncio.gather(*tasks)
        elif kind == "gather all":
            found = await asyncio.gather(*tasks, return_exceptions=True)
            self.note(f"{here} {[type(each).__name__ for each in found]}")
        elif kind == "first":
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self.note(f"{here} {[task.done() for task in tasks]}")
        elif kind == "completed":
            for future in asyncio.as_completed(tasks):
                self.note(f"{here} {await future}")
        else:
            await asyncio.shield(tasks[0])
