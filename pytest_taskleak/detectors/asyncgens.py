"""Which async generators are left suspended?

One that nobody holds is closed by its loop in its next turn; one that a pending task iterates is part
of that task, whosever the task is.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

from pytest_taskleak.adapt import asyncgens, asyncio_, awaiting
from pytest_taskleak.adapt.asyncio_ import UVLOOP
from pytest_taskleak.adapt.code import module_of
from pytest_taskleak.detectors.base import Detector, Ending, Patch, Recorder
from pytest_taskleak.model import Code, Resource


class Asyncgens(Detector):
    """Async generators that were begun, and neither exhausted nor closed."""

    kind = "asyncgen"
    plural = "async generators"
    rank = 47
    collectable = True
    tied: ClassVar[tuple[Ending, ...]] = ("cancel",)
    codes: ClassVar = {
        "TL611": Code(
            title="async generator left suspended",
            meaning="An async generator had begun and was neither exhausted nor closed when its owner's "
            "scope had closed, and something still holds it.",
            cause="A generator that is kept and iterated in part only; an async context manager entered "
            "by hand and never left.",
            cure="Iterate it under contextlib.aclosing(), or await its aclose().",
        ),
        "TL612": Code(
            title="async generator cut off",
            meaning="An async generator was still suspended, and held, when its runner closed; asyncio "
            "closed it in silence.",
            cause="As TL611, seen at the last moment: its finally clause runs while the loop shuts down.",
            cure="Iterate it under contextlib.aclosing(), or await its aclose() before the runner closes.",
        ),
    }

    def __init__(self) -> None:
        self.closing: weakref.WeakKeyDictionary[Any, asyncio.Task[Any]] = weakref.WeakKeyDictionary()

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        record = recorder(self.kind, mark=False)

        def wrap(original: Callable[..., None]) -> Callable[..., None]:
            def _asyncgen_firstiter_hook(loop: Any, agen: Any) -> None:
                original(loop, agen)
                frame = sys._getframe(1)
                if not asyncgens.by_harness(frame):
                    record(agen, frame)

            return _asyncgen_firstiter_hook

        name, without = "_asyncgen_firstiter_hook", "async generators"
        yield Patch(asyncio_.loop_classes, name, wrap, without, after=UVLOOP)
        ending = recorder.endings(self.kind)
        see = asyncgens.before_the_end(lambda things: ending(things, "cancel"))
        yield Patch(asyncgens.trio_hooks, "finalize_remaining", see, without, after=asyncgens.TRIO)
        yield Patch(
            asyncgens.trio_hooks, "install_hooks", asyncgens.also(record), without, after=asyncgens.TRIO
        )

    def alive(self, thing: Any) -> bool:
        if not asyncgens.is_suspended(thing):
            return False
        return not asyncgens.held_by_task(thing, asyncgens.loop_of(thing), but=self.closing.get(thing))

    def loop(self, thing: Any) -> Any:
        return asyncgens.loop_of(thing)

    def patience(self, thing: Any) -> float:
        loop = asyncgens.loop_of(thing)
        elsewhere = loop is not None and not loop.is_closed() and asyncio_.runs_elsewhere(loop)
        return 0.0 if elsewhere else float("inf")  # nothing but its loop's turning ends it

    def keeper(self, thing: Any) -> Iterable[Any]:
        return (thing, *asyncgens.self_of(thing))

    def idle(self, thing: Any) -> bool:
        return not thing.ag_running

    def describe(self, thing: Any) -> Resource:
        code = thing.ag_code
        frames = [awaiting.frame_at(frame.f_code, frame.f_lineno) for frame in awaiting.links(thing)]
        return Resource(
            code="TL611",
            name=code.co_qualname,
            what=code.co_qualname,
            module=module_of(code),
            state="is still suspended",
            waiting=tuple(frames),
            waits_for="" if thing.ag_running else "its next iteration",
            where="suspended",
            role="coroutine",
            noun="async generator",
        )

    def ended(self, resource: Resource, ending: Ending) -> Resource:
        state = "was still suspended when its runner closed"
        return replace(resource, code="TL612", state=state, outlives=False)

    def remove(self, thing: Any) -> bool:
        loop = asyncgens.loop_of(thing)
        if loop is None or loop.is_closed() or thing.ag_running:
            return False
        if asyncio_.runs_elsewhere(loop):
            loop.call_soon_threadsafe(self.close, thing, loop)
        else:
            self.close(thing, loop)
        return True

    def close(self, agen: Any, loop: Any) -> None:
        """Begin to close a generator on its own loop, in a task that nobody else is told of."""
        self.closing[agen] = asyncio.Task(asyncgens.finish(agen), loop=loop)

    def insist(self, thing: Any) -> bool:
        task = self.closing.get(thing)
        if task is None or task.done():
            return False
        loop = task.get_loop()
        if asyncio_.runs_elsewhere(loop):
            loop.call_soon_threadsafe(task.cancel)
        else:
            task.cancel()
        return True

    def advice(self, resource: Resource) -> str:
        if resource.code == "TL612":
            return "iterate it under contextlib.aclosing(), or await its aclose() before the runner closes"
        return "iterate it under contextlib.aclosing(), or await its aclose()"

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        loop = asyncio.new_event_loop()

        async def canary() -> AsyncIterator[None]:
            yield

        async def begin() -> None:
            await agen.asend(None)

        agen: Any = canary()
        try:
            loop.run_until_complete(begin())
            yield agen
        finally:
            loop.run_until_complete(agen.aclose())
            loop.close()


detector = Asyncgens()
