"""Which asyncio tasks are left pending?

A task counts while it is not done.  Those that drive tests themselves (anyio's runner task) or are
part of a library's shutdown by design (anyio's process pool) are known by their code object.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

from pytest_taskleak.adapt import anyio as anyio_
from pytest_taskleak.adapt import asyncio_, awaiting
from pytest_taskleak.adapt.asyncio_ import UVLOOP, Task
from pytest_taskleak.adapt.exceptions import DESTROYED
from pytest_taskleak.detectors.base import Detector, Ending, Patch, Recorder
from pytest_taskleak.model import Code, Resource


class Tasks(Detector):
    """Tasks left pending on any loop."""

    kind = "task"
    rank = 10
    carries = True
    codes: ClassVar = {
        "TL101": Code(
            title="task left running",
            meaning="A task was still pending when the scope of its owner had closed, on a live loop.",
            cause="create_task() whose result nobody awaits or cancels; a background worker without a stop.",
            cure="Keep the task; cancel and await it, or let asyncio.TaskGroup do both.",
        ),
        "TL102": Code(
            title="task cut off",
            meaning="A task was pending when its runner closed (asyncio.run, Runner.close, a test runner's) "
            "and was cancelled in silence.",
            cause="The main coroutine returned before the tasks that it had started.",
            cure="Await or cancel the task before the main coroutine returns.",
        ),
        "TL103": Code(
            title="task destroyed",
            meaning="A loop was closed while a task on it was pending; nobody had cancelled the task.",
            cause="loop.close() right after run_until_complete(), with work left over.",
            cure="Cancel what is left and run the loop until it has ended, or use asyncio.run.",
        ),
        "TL105": Code(
            title="task destroyed by the collector",
            meaning="Nobody kept a pending task, and it was destroyed with its work undone.",
            cause="create_task() without a reference, waiting for something that only it knows.",
            cure="Keep the task until it has ended: in a set, or in asyncio.TaskGroup.",
        ),
        "TL104": Code(
            title="task stuck",
            meaning="A task was cancelled and did not end within the bound.",
            cause="except BaseException, except CancelledError or suppress() around an await in a loop.",
            cure="Let CancelledError through: catch it only to clean up, then raise it again.",
        ),
    }

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        record = recorder(self.kind, mark=True)
        passing, through = asyncio_.ENSURE_FUTURE, asyncio_.THROUGH

        def wrap(original: Callable[..., Task]) -> Callable[..., Task]:
            def create_task(self: asyncio.AbstractEventLoop, /, *args: Any, **options: Any) -> Task:
                task = original(self, *args, **options)
                frame = sys._getframe(1)
                if frame.f_code is passing:
                    above = frame.f_back
                    if above is not None and above.f_code is through and asyncio_.shuts_down(above):
                        return task
                record(task, frame)
                return task

            return create_task

        lose = recorder.losses(self.kind)

        def wrap_handler(original: Callable[..., Any]) -> Callable[..., Any]:
            def call_exception_handler(loop: Any, /, *args: Any, **options: Any) -> Any:
                context: Any = args[0] if args else options.get("context")
                with contextlib.suppress(Exception):  # the loop must hear of it in any case
                    if context["message"] == DESTROYED:
                        task = context["task"]
                        where = asyncio_.context_of(task)
                        lose(self.destroyed(task), thing=task, future=task, context=where)
                return original(loop, *args, **options)

            return call_exception_handler

        without = "the line on which a task was made"
        yield Patch(asyncio_.loop_classes, "create_task", wrap, without, after=UVLOOP)
        without = "tasks that the collector destroys"
        yield Patch(asyncio_.loop_classes, "call_exception_handler", wrap_handler, without, after=UVLOOP)

    def alive(self, thing: Any) -> bool:
        return not thing.done() and not anyio_.is_machinery(thing) and thing is not asyncio_.running_task()

    def on_loop(self, loop: Any, ending: Ending) -> Iterable[Any]:
        return asyncio_.tasks_of(loop)

    def loop(self, thing: Any) -> Any:
        return asyncio_.loop_of(thing)

    def patience(self, thing: Any) -> float:
        return awaiting.seconds_left(thing)

    def parts(self, thing: Any) -> Iterable[Any]:
        return awaiting.awaited(thing)

    def keeper(self, thing: Any) -> Iterable[Any]:
        return (thing, *awaiting.self_of(thing))

    def describe(self, thing: Any) -> Resource:
        module, what = awaiting.coroutine_name(thing)
        frames, leaf = awaiting.chain(thing)
        return Resource(
            code="TL101",
            name=thing.get_name(),
            what=what,
            module=module,
            state="is still pending",
            waiting=frames,
            waits_for=leaf,
            role="coroutine",
        )

    def destroyed(self, task: Any) -> Resource:
        """Tell of a task that dies just now; it was pending, and nobody kept it."""
        state = "was destroyed while it was pending: nobody kept it"
        return replace(self.describe(task), code="TL105", state=state, outlives=False)

    def ended(self, resource: Resource, ending: Ending) -> Resource:
        if ending == "close":
            state = "was pending when its loop was closed"
            return replace(resource, code="TL103", state=state, outlives=False)
        return replace(resource, code="TL102", state="was cut off when its runner closed", outlives=False)

    def resisting(self, resource: Resource) -> Resource:
        return replace(resource, code="TL104", state="ignores cancellation", outlives=False)

    def remove(self, thing: Any) -> bool:
        loop = asyncio_.loop_of(thing)
        if loop.is_closed():
            asyncio_.lost_sight(thing)
            return False
        if asyncio_.runs_elsewhere(loop):
            loop.call_soon_threadsafe(thing.cancel)
        else:
            thing.cancel()
        return True

    def advice(self, resource: Resource) -> str:
        cures = {
            "TL102": "await the task, or cancel and await it, before the runner's main coroutine returns",
            "TL103": "cancel the task and let its loop run until it has ended, then close the loop",
            "TL105": "keep a reference to the task until it has ended; asyncio itself keeps none",
            "TL104": "let CancelledError through: catch it only to clean up, then raise it again",
        }
        if resource.code in cures:
            return cures[resource.code]
        if resource.waits_for.startswith("nothing"):
            return "await the task that was created, or do not create it"
        return "keep the task and end it: task.cancel(), then await it; or use asyncio.TaskGroup"

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        loop = asyncio.new_event_loop()

        async def canary() -> None:
            await loop.create_future()

        task = loop.create_task(canary())
        try:
            asyncio_.turn(loop)
            yield task
        finally:
            task.cancel()
            asyncio_.turn(loop, 2)
            loop.close()


detector = Tasks()
