"""In which surroundings is a service started and stopped, and what is left of it?"""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pytest_taskleak.conformance.contracts import Fault
from pytest_taskleak.conformance.leftovers import Rows, rows_of
from pytest_taskleak.conformance.stage import End, MakeLoop, Stage, turns
from pytest_taskleak.conformance.stepping import At, fail, stepped
from pytest_taskleak.detectors import built_in
from pytest_taskleak.engine.closing import begin
from pytest_taskleak.engine.explaining import explain
from pytest_taskleak.engine.owner import OWNER, Scope
from pytest_taskleak.engine.reap import reap, remove
from pytest_taskleak.engine.settle import settle
from pytest_taskleak.engine.watch import Watch
from pytest_taskleak.judge.policy import Policy

GRACE = 0.05
"""Seconds in which something outside may still finish what is left, as a thread that was asked to end."""
HANGS = "hangs"
BOUNDED = """\
task.cancel()  # first, so that what is waited for ends
await asyncio.wait([task], timeout=3)  # seconds; tell if it has not"""
Twice = Literal["ok", "error"]


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What is tried.

    Parameters:
        make: makes a service; the class, or a function without arguments.
        start: the name of the method that starts it.
        stop: the name of the method that stops it.
        group: the keyword by which `start` takes a task group, empty if none is given.
        start_twice: what a second `start` must do; `None` if it may do either.
        stop_first: what `stop` must do before any `start`.
        restart: what `start` must do after `stop`.
        failing: make services whose `start` fails.
        alive: tells of a service whether it lives.
        make_loop: makes the loops.
        deadline: seconds that a call may take.
        learned: how many suspensions its methods have, and whether it hangs.
    """

    make: Callable[[], Any]
    start: str
    stop: str
    group: str
    start_twice: Twice | None
    stop_first: Twice
    restart: Twice
    failing: tuple[Callable[[], Any], ...]
    alive: Callable[[Any], Any] | None
    make_loop: MakeLoop
    deadline: float
    learned: dict[str, int] = field(default_factory=dict)

    @property
    def managed(self) -> bool:
        """Whether it is a context manager, which is entered once and left once."""
        return self.start in ("__aenter__", "__enter__") and self.leaves

    @property
    def leaves(self) -> bool:
        """Whether `stop` takes the three arguments of what leaves a block."""
        return self.stop in ("__aexit__", "__exit__")

    def play(self, scene: Scene, *, make: Callable[[], Any] | None = None) -> Run:
        """Play a scene with a new service; return what was wrong, and what is left of it.

        Parameters:
            scene: what is called.
            make: makes the service, if it is not the usual one.
        """
        with Run(self, make or self.make) as run:
            run.stage.play(run.act(scene))
            if run.stage.lost.done():
                self.learned[HANGS] = 1
            if run.stage.lost.done() and not run.tidying:
                text = End("late", where=run.stage.where).text(self.deadline)
                run.wrong.append((HANGS, f"{run.calls[-1]} {text}, and ignores cancelling"))
            run.judge()
        return run

    def fault(self, scene: Scene, advice: str, *, make: Callable[[], Any] | None = None) -> list[Fault]:
        """Play a scene; return what is wrong, if anything is, with the calls that led to it."""
        run = self.play(scene, make=make)
        if not run.wrong and not run.left:
            return []
        seen = tuple(("seen" if label == HANGS else label, text) for label, text in run.wrong)
        advice = BOUNDED if any(label == HANGS for label, _ in run.wrong) else advice
        return [Fault(advice, (("calls", ", ".join(run.calls)), *seen, *run.left))]


class Run:
    """One service on a loop of its own, in a watch of its own.

    Parameters:
        trial: what is tried.
        make: makes the service.
    """

    def __init__(self, trial: Lifecycle, make: Callable[[], Any]) -> None:
        self.trial = trial
        self.make = make
        self.stage = Stage(trial.make_loop, trial.deadline)
        kinds = frozenset(d.kind for d in built_in() if not d.measured)
        self.watch = Watch(
            built_in(), Policy(detect=kinds, grace=GRACE), root=os.getcwd(), name="check_lifecycle"
        )
        self.scope = Scope("block", "check_lifecycle", parent=self.watch.session, watch=self.watch)
        self.service: Any = None
        self.group: asyncio.TaskGroup | None = None
        self.keeper: asyncio.Task[None] | None = None
        self.calls: list[str] = []
        self.wrong: list[tuple[str, str]] = []
        self.left: Rows = ()
        self.steps = 0
        self.tidying = False

    def __enter__(self) -> Self:
        begin(self.watch)
        self.watch.running = self.scope
        return self

    def __exit__(self, *_: object) -> None:
        self.service = None
        self.watch.charge()
        self.watch.stop()
        self.stage.close()

    # --- calls ----------------------------------------------------------------------------------

    async def act(self, scene: Scene) -> None:
        """Make the service, and do what the scene says."""
        if self.trial.group:
            await self.open_group()
        made = await self.bounded(self.make, "make it")
        if made.how != "returned":
            self.wrong.append(("seen", f"making it {made.text(self.trial.deadline)}"))
            return
        self.service = made.value
        del made
        await scene(self)

    async def open_group(self) -> None:
        """Open a task group that the service may use; it stays open until all is judged."""
        opened: asyncio.Future[asyncio.TaskGroup] = asyncio.get_running_loop().create_future()

        async def keep() -> None:
            async with asyncio.TaskGroup() as group:
                opened.set_result(group)
                await asyncio.get_running_loop().create_future()

        self.keeper = asyncio.get_running_loop().create_task(keep(), name="check_lifecycle's group")
        self.group = await opened

    async def abort_group(self) -> None:
        """End the task group as an error of one of its tasks ends it, and open another one."""
        assert self.group is not None  # noqa: S101 -- asked only where there is one
        assert self.keeper is not None  # noqa: S101 -- same
        self.calls.append("the group is aborted, and another one opened")
        self.group.create_task(fail(), name="check_lifecycle's error")
        await asyncio.wait({self.keeper}, timeout=self.trial.deadline)
        if self.keeper.done() and not self.keeper.cancelled():
            self.keeper.exception()
        await self.open_group()

    async def start(self, at: At | None = None) -> End:
        """Start the service."""
        self.calls.append(f"{self.trial.start}({f'{self.trial.group}=group' if self.trial.group else ''})")
        options = {self.trial.group: self.group} if self.trial.group else {}
        service = self.service  # an exception's traceback must not keep this
        return await self.bounded(lambda: getattr(service, self.trial.start)(**options), self.calls[-1], at)

    async def stop(self, at: At | None = None) -> End:
        """Stop the service."""
        self.calls.append(f"{self.trial.stop}()")
        return await self.bounded(self.stopping(), self.calls[-1], at)

    def cancelling(self) -> Callable[[], object]:
        """Return what cancels the call that is awaited in this task, before it goes on."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None  # noqa: S101 -- a coroutine runs in one
        return lambda: loop.call_soon(self.stage.cancel, task)

    async def tidy(self) -> None:
        """Stop the service, where another rule looks at how it stops."""
        if HANGS in self.trial.learned:
            return
        calls, wrong, self.tidying = self.calls[:], self.wrong[:], True
        await self.stop()
        self.calls, self.wrong, self.tidying = calls, wrong, False

    def stopping(self) -> Callable[[], Any]:
        """Return what stops the service when it is called."""
        method = getattr(self.service, self.trial.stop)
        return (lambda: method(None, None, None)) if self.trial.leaves else method

    def stop_beside(self) -> asyncio.Task[End]:
        """Stop the service in another task."""

        async def beside() -> End:
            return await self.bounded(self.stopping(), f"{self.trial.stop}()")

        token = OWNER.set(self.watch.session)
        try:
            return asyncio.get_running_loop().create_task(beside(), name="check_lifecycle's second caller")
        finally:
            OWNER.reset(token)

    async def bounded(self, function: Callable[[], Any], called: str, at: At | None = None) -> End:
        """Call something on behalf of the service, in the task that runs; return how that ended."""

        async def call() -> Any:
            OWNER.set(self.scope)
            try:
                made = function()
                if not inspect.isawaitable(made) or (function is self.make and not inspect.iscoroutine(made)):
                    return made
                if at is None:
                    return await made
                value, self.steps = await stepped(made, at)
                return value
            finally:
                OWNER.set(self.watch.session)

        end = await self.stage.bounded(call)
        if end.how == "late":
            self.trial.learned[HANGS] = 1
            self.wrong.append((HANGS, f"{called} {end.text(self.trial.deadline)}"))
        return end

    async def starts(self) -> bool:
        """Start the service as a first step that other rules prove; return whether it has."""
        return (await self.start()).how == "returned"

    def expect(self, end: End, expected: Twice, called: str = "") -> bool:
        """Write down if a call did not end as it should; return whether it did."""
        if end.how == "late":
            return False
        if expected == "error" and end.how != "raised":
            self.wrong.append(
                ("seen", f"{called or self.calls[-1]} {end.text(self.trial.deadline)}, and raised no error")
            )
        elif expected == "ok" and end.how != "returned":
            text = "raised CancelledError" if end.how == "cancelled" else end.text(self.trial.deadline)
            self.wrong.append(("seen", f"{called or self.calls[-1]} {text}"))
        else:
            return True
        return False

    # --- looking --------------------------------------------------------------------------------

    async def living(self) -> Counter[str]:
        """Return what of the service lives, once the loop has come to rest: how many of what."""
        await turns()
        pairs = explain(self.watch.live(self.scope, self.watch.policy), self.scope, "")
        return Counter(f"{found.kind} {found.resource.what or found.resource.name}" for _, found in pairs)

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that the service has made and that still exist."""
        births = (entry() for entry in tuple(self.scope.births.get("task", ())))
        return [task for task in births if isinstance(task, asyncio.Task)]

    def judge(self) -> None:
        """Look at what is left of the service while somebody still refers to it, and remove that."""
        if self.keeper is not None and self.keeper.done() and not self.keeper.cancelled():
            error = self.keeper.exception()
            if error is not None:
                self.wrong.append(
                    ("seen", f"its task group was aborted: {End('raised', error=error).text(0)}")
                )
        watch, scope = self.watch, self.scope
        watch.finish(scope)
        settle(lambda: watch.live(scope, watch.policy), watch.grant(watch.policy))
        pairs = explain(watch.live(scope, watch.policy), scope, watch.root)
        self.service = None
        gc.collect(1)  # an error that nobody has seen is told when its task is collected
        watch.charge()
        findings = [*(found for _, found in pairs), *scope.findings]
        self.left = rows_of(findings)
        remove([item for item, _ in pairs], reap)


Scene = Callable[[Run], Awaitable[None]]
