"""With what, and in which surroundings, is a helper tried that starts tasks?"""

from __future__ import annotations

import asyncio
import gc
import inspect
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_taskleak.conformance.spawner_cast import Child, Planted, listening, planted_in
from pytest_taskleak.conformance.stage import MakeLoop, Stage, turns


@dataclass(frozen=True, slots=True)
class Spawner:
    """What is tried.

    Parameters:
        spawn: the helper.
        name: the keyword for a task's name, empty if there is none.
        on_error: the keyword for what is called with an error, empty if there is none.
        failures: returns what the helper has counted.
        around: makes what is entered around each trial; what that yields is handed on first.
        awaited: its tasks are always awaited.
        make_loop: makes the loops.
        deadline: seconds that a call may take.
        told_around: `on_error` is a keyword of `around`.
    """

    spawn: Callable[..., Any]
    name: str
    on_error: str
    failures: Callable[..., Any] | None
    around: Callable[..., Any] | None
    awaited: bool
    make_loop: MakeLoop
    deadline: float
    told_around: bool = False

    @property
    def called(self) -> str:
        """How the helper is called in advice."""
        return getattr(self.spawn, "__name__", "spawn").strip("<>")

    def play(
        self, scene: Scene, *, eager: bool = False, on_error: Callable[..., Any] | None = None
    ) -> Surroundings:
        """Play a scene on a loop of its own; return what came to light meanwhile.

        Parameters:
            scene: what is done there; what it returns is the `result`.
            eager: tasks begin as soon as they are made.
            on_error: is called with errors.
        """
        with Stage(self.make_loop, self.deadline) as stage, listening() as logged:
            here = Surroundings(self, stage, logged, on_error)
            try:
                stage.play(here.enter(eagerly(scene) if eager else scene))
            finally:
                here.drop()
        return here

    def counted(self, held: tuple[Any, ...]) -> Any:
        """Return what the helper has counted, nothing if it does not count."""
        return 0 if self.failures is None else self.failures(*held)

    def total(self, held: tuple[Any, ...]) -> int:
        """Return how much the helper has counted, by names or in all."""
        counted = self.counted(held)
        return sum(counted.values()) if isinstance(counted, Mapping) else int(counted)


@dataclass(slots=True)
class Spawned:
    """What has come of one call of a helper.

    Parameters:
        made: what it returned.
        task: the task that it made, if that can be seen.
    """

    made: Any
    task: asyncio.Task[Any] | None

    @property
    def handle(self) -> asyncio.Future[Any] | None:
        """What a caller would cancel or look at."""
        return self.made if asyncio.isfuture(self.made) else self.task


@dataclass
class Surroundings:
    """Where one scene is played.

    Parameters:
        spawner: what is tried.
        stage: the loop.
        logged: the texts and errors that were logged as a warning or worse.
        on_error: is called with errors.
    """

    spawner: Spawner
    stage: Stage
    logged: list[str]
    on_error: Callable[..., Any] | None
    held: tuple[Any, ...] = ()
    result: Any = None
    aborted: bool = False
    raised: list[str] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    kept: list[Coroutine[Any, Any, Any]] = field(default_factory=list)
    tasks: weakref.WeakSet[asyncio.Future[Any]] = field(default_factory=weakref.WeakSet)

    async def enter(self, scene: Scene) -> None:
        """Play a scene, inside of what is to be around it."""
        if self.spawner.around is None:
            await self.act(scene)
            return
        options = {self.spawner.on_error: self.on_error} if self.on_error and self.spawner.told_around else {}
        try:
            async with self.spawner.around(**options) as held:
                self.held = (held,)
                await self.act(scene)
        except (Exception, asyncio.CancelledError) as error:
            self.raised += list(planted_in(error))
            if not self.raised:
                raise

    async def act(self, scene: Scene) -> None:
        """Play a scene, and let all that it has begun come to an end."""
        try:
            self.result = await scene(self)
        except asyncio.CancelledError:
            self.aborted = True
            raise
        finally:
            if not self.aborted:
                await turns(FIRST)  # what has begun may be cancelled without leaving a coroutine unawaited
            for child in self.children:
                child.release()
            for task in self.tasks:
                task.cancel()
            if not self.aborted:
                await turns()

    def child(self, *, fails: bool = False) -> Child:
        """Return a new coroutine's script."""
        child = Child(fails=fails)
        self.children.append(child)
        return child

    def keep(self, work: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        """Hold a coroutine that the helper may forget, so that it is closed at the end."""
        self.kept.append(work)
        return work

    def drop(self) -> None:
        """Close what never began: Python would warn of it, and it is told as a broken rule."""
        for work in self.kept:
            close_unbegun(work)
        self.kept.clear()

    async def spawn(self, work: Any, *, name: str = "") -> Spawned:
        """Call the helper as its users do."""
        options: dict[str, Any] = {self.spawner.name: name} if name and self.spawner.name else {}
        if self.on_error is not None and not self.spawner.told_around:
            options[self.spawner.on_error] = self.on_error
        known = {id(task) for task in asyncio.all_tasks()}
        try:
            made = self.spawner.spawn(*self.held, work, **options)
            if inspect.iscoroutine(made):
                made = await self.in_time(made)
        except BaseException:
            close_unbegun(work)
            raise
        if isinstance(made, asyncio.Task):
            spawned = Spawned(made, made)
        else:
            new = [task for task in asyncio.all_tasks() if id(task) not in known]
            spawned = Spawned(made, new[0] if len(new) == 1 else None)
        if spawned.handle is not None:
            self.tasks.add(spawned.handle)
        return spawned

    async def in_time(self, call: Coroutine[Any, Any, Any]) -> Any:
        """Await a helper that is a coroutine function; what waits of the kit must not keep it any longer."""
        release = [child.release for child in self.children]
        loop, late = asyncio.get_running_loop(), self.spawner.deadline
        timers = [loop.call_later(late + MOMENT, let_go) for let_go in release]
        try:
            async with asyncio.timeout(late):
                return await call
        finally:
            for timer in timers:
                timer.cancel()

    def heard(self, number: int) -> bool:
        """Tell whether an error has come to light by itself."""
        text = str(Planted(number))
        return any(text in line for line in (*self.stage.reports, *self.logged, *self.raised))


MOMENT = 0.05
"""Seconds after which a coroutine of the kit may go on whose helper was late."""
FIRST = 4
"""Turns in which a task comes to its first suspension."""
Scene = Callable[[Surroundings], Awaitable[Any]]


def eagerly(scene: Scene) -> Scene:
    """Return a scene in which tasks begin as soon as they are made."""

    async def played(here: Surroundings) -> Any:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
        try:
            return await scene(here)
        finally:
            loop.set_task_factory(None)

    return played


def close_unbegun(work: Any) -> bool:
    """Close a coroutine that was never begun; return whether it was one."""
    unbegun = inspect.iscoroutine(work) and inspect.getcoroutinestate(work) == inspect.CORO_CREATED
    if unbegun:
        work.close()
    return unbegun


def collected(refs: list[weakref.ref[Any]]) -> int:
    """Return how many of these objects still live after a collection; a full one only if it is needed."""
    gc.collect(1)
    if any(ref() is not None for ref in refs):
        gc.collect()
    return sum(ref() is not None for ref in refs)
