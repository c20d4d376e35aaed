"""How does a program become a world of real tasks, how is it run on, and how does it leave nothing?"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import anchors
import holders
from holders import HELD, RAN, SERIAL, later
from programs import FUTURES, Holder, Program, Ref, Task
from reaching import Phase, touch
from waits import TASKS, fill, live, make_prim

TURNS = 6
"""Turns of the loop after which everybody waits."""
Ask = Callable[[list[asyncio.Task[Any]], tuple[Any, ...]], Any]


class World:
    """A program, built.

    Parameters:
        program: what to build; kinds that turn out impossible are replaced in it by what was built instead.
        loop: a fresh loop.
        eager: the loop runs tasks eagerly.
        delay: seconds until timers are due.
    """

    def __init__(
        self, program: Program, loop: asyncio.AbstractEventLoop, *, eager: bool, delay: float
    ) -> None:
        SERIAL[0] += 1
        self.program = program
        self.loop = loop
        self.eager = eager
        self.delay = delay
        self.tasks = TASKS
        self.own: list[Any] = []
        self.frames: list[Any] = []
        self.generators: list[Any] = []
        self.pairs: list[anchors.Pair] = []
        self.carried: list[Any] = []
        self.last: list[Callable[[], Any]] = []
        self.context: contextvars.Context | None = None
        self.answer: Any = None
        Phase.serial, Phase.running_on = SERIAL[0], False
        Phase.ran, Phase.own = set(), {id(TASKS), id(self.own)}
        Phase.delay = delay

    # Building

    def build(self) -> None:
        """Make everything but the anchors; must be called while the loop runs."""
        program = self.program
        seats: list[list[Any]] = [[] for _ in program.tasks]
        contexts = [contextvars.Context() if task.context else None for task in program.tasks]
        made: dict[Ref, Any] = {}
        for index, task in enumerate(program.tasks):
            if task.parent is None:
                made["t", index] = self._start(contexts[index], index, seats[index])
        for index, prim in enumerate(program.prims):
            children = prim.targets if prim.kind in FUTURES and prim.kind != "future" else []
            made["p", index] = make_prim(prim.kind, [made[ref] for ref in children])
        for index, holder in enumerate(program.holders):
            made["h", index] = self._holder(holder, made)
        for index, holder in enumerate(program.holders):
            for ref in [*holder.later]:
                try:
                    holders.put_into(holder.kind, made["h", index], made[ref])
                except Exception:  # noqa: BLE001 - not hashable
                    holder.later.remove(ref)
        for index, prim in enumerate(program.prims):
            fill(prim, made["p", index], [made[ref] for ref in prim.targets])
        for index, task in enumerate(program.tasks):
            self._seat(index, task, seats, contexts[index], made)
        self.carried = [made[anchor.target] for anchor in program.anchors]

    def _start(self, context: contextvars.Context | None, index: int, seat: list[Any]) -> asyncio.Task[Any]:
        body = live(SERIAL[0], index, seat, self.eager)
        task = self.loop.create_task(body, name=f"t{index}", context=context)
        TASKS.append(task)
        return task

    def _holder(self, spec: Holder, made: dict[Ref, Any]) -> Any:
        if spec.kind in holders.WEAK:
            del spec.targets[1:]
        targets = [made[ref] for ref in spec.targets]
        value = targets[0] if len(targets) == 1 else tuple(targets)
        del targets
        try:
            holder = holders.HOLDERS[spec.kind](value)
        except Exception:  # noqa: BLE001 - not hashable, not weakly referable, odd: hold it in a plain way
            spec.kind = "list"
            holder = [value]
        if spec.kind == "own":
            self.own.append(holder)
            Phase.own.add(id(holder))
        return holder

    def _seat(self, index: int, task: Task, seats: Any, context: Any, made: dict[Ref, Any]) -> None:
        """Tell a task what it waits for and holds."""
        if task.wait == "group":
            on: list[Any] = [(child[1], seats[child[1]]) for child in task.on]
        else:
            on = [made[ref] for ref in task.on]
        if task.wait == "woken":
            future = self.loop.create_future()
            on = [future]
            self.last.append(lambda: future.set_result(None))
        if task.wait == "cancelled":
            self.last.append(made["t", index].cancel)
        kind = "future" if task.wait == "woken" else task.wait
        if kind in ("prim", "cancelled"):
            kind = self.program.prims[task.on[0][1]].kind
        seats[index].append((kind, on, tuple(made[ref] for ref in task.stuff), task))
        if context is not None and task.context is not None:
            context.run(HELD.set, made[task.context])
        if task.callback is not None and task.parent is None:
            made["t", index].add_done_callback(later(made[task.callback]))

    def anchor(self) -> None:
        """Make the anchors and do what is to be done last; nothing else holds the things from then on."""
        self.carried.reverse()
        for spec in self.program.anchors:
            thing = self.carried.pop()
            try:
                self.pairs.append(anchors.ANCHORS[spec.kind](self, thing))
            except Exception:  # noqa: BLE001 - not weakly referable, odd
                spec.kind = "none"
            del thing
        while self.last:
            self.last.pop()()
        Phase.own.update(map(id, self.own))

    # Asking

    def run(self, ask: Ask) -> Any:
        """Build, let everybody come to rest, and ask."""
        self.loop.run_until_complete(self._main(ask))
        if not self.program.inside:
            self.turn(TURNS)
            self._ask(ask)
        return self.answer

    async def _main(self, ask: Ask) -> None:
        self.build()
        if self.program.inside:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            self._ask(ask)
            if any(spec.kind == "contextvar" for spec in self.program.anchors):
                self.context = contextvars.copy_context()

    def _ask(self, ask: Ask) -> None:
        self.anchor()
        if self.program.collect:
            gc.collect()
        frames, self.frames = self.frames, []
        generators, self.generators = self.generators, []
        self._framed(ask, frames, generators)

    def _framed(self, ask: Ask, frames: list[Any], generators: list[Any]) -> None:
        """Ask, with each of `frames` in a local of a running function and nowhere else."""
        for spy in holders.SPIES:
            spy.frames.append(sys._getframe())
        spy = None
        if frames:
            thing = frames.pop()
            self._framed(ask, frames, generators)
            self.frames.append(thing)
        elif generators:
            for _ in self._in_generator(ask, frames, generators):
                pass
        else:
            del frames, generators
            holders.SPIES.clear()
            self._assert_well()
            RAN.clear()
            self.answer = ask(TASKS, (TASKS, self.own, *self.own))
            Phase.running_on = True

    def _assert_well(self) -> None:
        """No task may have failed: then the harness is wrong."""
        for task in TASKS:
            if task.done() and not task.cancelled() and task.exception() is not None:
                raise AssertionError(f"{self.program.told()}\n{task}") from task.exception()

    def _in_generator(self, ask: Ask, frames: list[Any], generators: list[Any]) -> Iterator[None]:
        for spy in holders.SPIES:
            spy.frames.append(sys._getframe())
        spy = None
        thing = generators.pop()
        self._framed(ask, frames, generators)
        yield
        self.frames.append(thing)

    def turn(self, times: int) -> None:
        """Turn the loop."""
        for _ in range(times):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    # Running on

    def run_on(self, wait: Callable[[], None]) -> set[int]:
        """Let everything that lives do all it can; return the tasks that ran.

        Parameters:
            wait: makes the timers due.
        """
        rounds = 2 + len(TASKS)
        before = -1
        for number in range(rounds):
            if number == 1:
                wait()
            touch(self.frames)
            for reach, _ in self.pairs:
                touch(self.context.run(reach) if self.context else reach())
            self.turn(4)
            if number > 1 and len(Phase.ran) == before:
                break
            before = len(Phase.ran)
        self._drop()
        self.turn(4)
        return set(Phase.ran)

    def _drop(self) -> None:
        """Let everything that lives forget what it holds; what dies of it may run."""
        self.frames.clear()
        while self.pairs:
            self.pairs.pop()[1]()
        holders.DROPPABLE.clear()
        holders.SPIES.clear()

    def let_go(self) -> set[int]:
        """Forget the tasks too, collect garbage and turn: finalisers run.  Return the tasks that ran."""
        names = [weakref.ref(task) for task in TASKS]
        _be_quiet()
        TASKS.clear()
        self.own.clear()
        gc.collect()
        self.turn(4)
        TASKS.extend(filter(None, (name() for name in names)))
        return set(Phase.ran)

    # Leaving nothing

    def close(self) -> None:
        """Remove everything that was made."""
        Phase.running_on = False
        self._drop()
        TASKS.extend(asyncio.all_tasks(self.loop))
        _be_quiet()
        for task in TASKS:
            coroutine = task.get_coro()
            if not task.done() and coroutine is not None:
                with contextlib.suppress(RuntimeError):  # it waits again while it is being closed
                    coroutine.close()
        TASKS.clear()
        self.own.clear()
        self.answer = None
        self.loop.close()


def _be_quiet() -> None:
    """Let no task complain that it is destroyed before it ended."""
    for task in TASKS:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
