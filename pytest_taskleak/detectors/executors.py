"""Which executors were not shut down, and which of their work still runs?

An executor belongs to whoever made it, its work to whoever submitted it.  A loop's default executor
belongs to the loop: its idle workers are no leak, work that blocks one of them is.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from pytest_taskleak.adapt import asyncio_, futures
from pytest_taskleak.adapt.asyncio_ import UVLOOP
from pytest_taskleak.adapt.awaiting import frame_at
from pytest_taskleak.adapt.code import LOOP, kind_of
from pytest_taskleak.detectors.base import Detector, Patch, Recorder
from pytest_taskleak.model import Code, Resource


class Executors(Detector):
    """Executors, and the futures of their work."""

    kind = "executor"
    collectable = True
    rank = 40
    codes: ClassVar = {
        "TL303": Code(
            title="executor not shut down",
            meaning="A thread or process pool executor was never shut down; its workers live on.",
            cause="An executor made without a with statement, or kept by an object that has no close().",
            cure="Use the executor in a with statement, or call its shutdown().",
        ),
        "TL304": Code(
            title="executor call left running",
            meaning="A call submitted to an executor (to_thread, run_in_executor, submit) had not returned.",
            cause="A blocking call in a worker thread; cancelling the awaiting task does not stop it.",
            cure="Wait for the result, and give the call a timeout or a way to be stopped.",
        ),
    }

    def __init__(self) -> None:
        self.defaults: weakref.WeakSet[Any] = weakref.WeakSet()
        self.local = threading.local()

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        record = recorder(self.kind, mark=False)
        record_work = recorder(self.kind, mark=True)

        def wrap_init(original: Callable[..., None]) -> Callable[..., None]:
            def __init__(executor: Any, /, *args: Any, **options: Any) -> None:  # noqa: N807 -- the name of what it replaces
                original(executor, *args, **options)
                frame = sys._getframe(1)
                if kind_of(frame.f_code.co_filename) == LOOP or getattr(self.local, "default", False):
                    self.defaults.add(executor)
                else:
                    record(executor, frame)

            return __init__

        def wrap_work(original: Callable[..., None]) -> Callable[..., None]:
            def __init__(item: Any, future: Any, /, *args: Any, **options: Any) -> None:  # noqa: N807 -- the name of what it replaces
                original(item, future, *args, **options)
                record_work(future, sys._getframe(1))

            return __init__

        def wrap_default(original: Callable[..., Any]) -> Callable[..., Any]:
            def set_default_executor(loop: Any, executor: Any) -> None:
                original(loop, executor)
                self.defaults.add(executor)

            return set_default_executor

        def wrap_uvloop(original: Callable[..., Any]) -> Callable[..., Any]:
            def run_in_executor(loop: Any, /, *args: Any, **options: Any) -> Any:
                self.local.default = (args[0] if args else options.get("executor")) is None
                try:
                    return original(loop, *args, **options)
                finally:
                    self.local.default = False

            return run_in_executor

        yield Patch(
            executor_classes, "__init__", wrap_init, "executors", after=("concurrent.futures.process",)
        )
        yield Patch(futures.work_items, "__init__", wrap_work, "work of executors")
        yield Patch(
            asyncio_.loop_classes, "set_default_executor", wrap_default, "default executors", after=UVLOOP
        )
        yield Patch(uvloop_only, "run_in_executor", wrap_uvloop, "default executors of uvloop", after=UVLOOP)

    def alive(self, thing: Any) -> bool:
        if isinstance(thing, concurrent.futures.Future):
            return not thing.done()
        return futures.is_open(thing) and thing not in self.defaults

    def parts(self, thing: Any) -> Iterable[Any]:
        return () if isinstance(thing, concurrent.futures.Future) else futures.futures_of(thing)

    def keeper(self, thing: Any) -> Iterable[Any]:
        if not isinstance(thing, concurrent.futures.Future):
            return (thing,)
        return (thing, *futures.bound_to(futures.work_of(thing)[1]))

    def describe(self, thing: Any) -> Resource:
        if isinstance(thing, concurrent.futures.Future):
            return describe_work(thing)
        kind = type(thing)
        workers = len(getattr(thing, "_threads", None) or getattr(thing, "_processes", None) or ())
        busy = sum(1 for _ in futures.futures_of(thing))
        load = f"{busy} calls unfinished" if busy else "idle"
        return Resource(
            code="TL303",
            name=futures.pool_name(thing),
            what=kind.__qualname__,
            module=kind.__module__,
            state=f"was not shut down ({workers} worker{'s' if workers != 1 else ''}, {load})",
            role="target",
            outlives=False,
        )

    def idle(self, thing: Any) -> bool:
        return not isinstance(thing, concurrent.futures.Future) and not any(self.parts(thing))

    def helper(self, thing: Any) -> bool:
        return True

    def blocks_exit(self, thing: Any) -> bool:
        return True  # the interpreter joins the workers of every executor

    def remove(self, thing: Any) -> bool:
        if isinstance(thing, concurrent.futures.Future):
            thing.cancel()
        else:
            thing.shutdown(wait=False, cancel_futures=True)
        return False

    def advice(self, resource: Resource) -> str:
        if resource.code == "TL303":
            return "use the executor in a with statement, or call its shutdown()"
        return "wait for the call's result, and give the call a way to be stopped"

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        executor = concurrent.futures.ThreadPoolExecutor(1)
        executor.submit(int).result()
        try:
            yield executor
        finally:
            executor.shutdown()


def describe_work(future: concurrent.futures.Future[Any]) -> Resource:
    """Tell of a call that an executor still works on, or has not begun."""
    ident, function = futures.work_of(future)
    module, what = futures.describe(function) if function is not None else ("", "a queued call")
    thread = next((t for t in threading.enumerate() if t.ident == ident), None)
    where = f" in thread {thread.name!r}" if thread is not None else ""
    return Resource(
        code="TL304",
        name=what,
        what=what,
        module=module,
        state=f"is still {'running' + where if ident else 'waiting for a worker'}",
        role="target",
        noun="executor call",
        waiting=tuple(frame_at(code, line) for code, line in futures.stack_of(ident)) if ident else (),
        waits_for=futures.blocked_in(ident) if ident else "",
    )


def executor_classes() -> Iterable[type]:
    """Yield the executor classes of the standard library that are loaded."""
    yield futures.ThreadPoolExecutor
    process = sys.modules.get("concurrent.futures.process")
    if process is not None:
        yield process.ProcessPoolExecutor


def uvloop_only() -> Iterable[type]:
    """Yield uvloop's class, whose default executor is made where no frame shows it."""
    return [c for c in asyncio_.loop_classes() if not issubclass(c, asyncio.BaseEventLoop)]


detector = Executors()
