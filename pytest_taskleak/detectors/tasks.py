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
from pytest_taskleak.adapt.cancelling import cancel
from pytest_taskleak.adapt.exceptions import DESTROYED
from pytest_taskleak.adapt.spinning import forget, found_spinning
from pytest_taskleak.adapt.task_groups import DECLARED
from pytest_taskleak.detectors.base import Detector, Ending, Patch, Recorder
from pytest_taskleak.model import Code, Resource

SPINS = "spins without ever waiting"


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
        "TL106": Code(
            title="task spins",
            meaning="A task ran on and on in one step when it was cancelled, and nothing else of its loop "
            "could run; it was stopped by an exception.",
            cause="except CancelledError: pass, in a loop, around an await of something that is cancelled.",
            cure="Let CancelledError through, and end the loop when what it awaits is done.",
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
        if thing.done():
            return found_spinning(thing) is not None
        if anyio_.is_machinery(thing) or thing is asyncio_.running_task():
            return False
        return thing not in DECLARED

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
        place = found_spinning(thing)
        if place is not None:
            spins = Resource(code="TL106", name=thing.get_name(), what=what, module=module, role="coroutine")
            return replace(spins, state=SPINS, waiting=(place,), where="spinning", outlives=False)
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
            details=cancelled_before(thing),
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
        seen = {label for label, _ in resource.details}
        if "spins" in seen:
            return replace(resource, code="TL106", state=SPINS, outlives=False)
        cleans = "cleanup" in seen and "swallowed" not in seen
        state = "hangs in its cleanup" if cleans else "ignores cancellation"
        return replace(resource, code="TL104", state=state, outlives=False)

    def remove(self, thing: Any) -> bool:
        loop = asyncio_.loop_of(thing)
        if thing.done():
            forget(thing)
            return False
        if loop.is_closed():
            asyncio_.lost_sight(thing)
            return False
        if asyncio_.runs_elsewhere(loop):
            loop.call_soon_threadsafe(cancel, thing)
        else:
            cancel(thing)
        return True

    def insist(self, thing: Any) -> bool:
        return self.remove(thing)

    def advice(self, resource: Resource) -> str:
        cures = {
            "TL102": "await the task, or cancel and await it, before the runner's main coroutine returns",
            "TL103": "cancel the task and let its loop run until it has ended, then close the loop",
            "TL105": "keep a reference to the task until it has ended; asyncio itself keeps none",
            "TL104": "let CancelledError through: catch it only to clean up, then raise it again",
            "TL106": "let CancelledError through, and leave the loop when what it awaits is done",
        }
        if resource.state == "hangs in its cleanup":
            return "give the cleanup a bound: `async with asyncio.timeout(...)` around what it awaits"
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


def cancelled_before(task: Any) -> tuple[tuple[str, str], ...]:
    """Return the line that says of a pending task that it was cancelled before anybody removes it."""
    count = getattr(task, "cancelling", int)()
    if not count:
        return ()
    often = {1: "once", 2: "twice"}.get(count, "again and again")
    return (("cancelled", f"{often}, and went on"),)


detector = Tasks()
