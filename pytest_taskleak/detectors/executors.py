"""Which executors were not shut down, and which of their work still runs?

An executor belongs to whoever made it, its work to whoever submitted it.  A loop's default executor
belongs to the loop: its idle workers are no leak, work that blocks one of them is.  The pools of
`multiprocessing` are executors too.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from pytest_taskleak.adapt import asyncio_, futures, pools, processes
from pytest_taskleak.adapt.asyncio_ import UVLOOP
from pytest_taskleak.adapt.awaiting import frame_at
from pytest_taskleak.adapt.code import LOOP, kind_of
from pytest_taskleak.detectors.base import Detector, Patch, Recorder
from pytest_taskleak.model import Code, Frame, Resource


class Executors(Detector):
    """Executors, and the futures of their work."""

    kind = "executor"
    collectable = True
    rank = 40
    carries = True
    codes: ClassVar = {
        "TL303": Code(
            title="executor not shut down",
            meaning="An executor, or a pool of multiprocessing, was never shut down; its workers live on.",
            cause="An executor made without a with statement, or kept by an object that has no close().",
            cure="Use it in a with statement, or call its shutdown(); of a pool, its terminate().",
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
        self.going: weakref.WeakKeyDictionary[Any, list[Any]] = weakref.WeakKeyDictionary()
        self.local = threading.local()

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        record = recorder(self.kind, mark=False)
        record_work = recorder(self.kind, mark=True)

        def wrap_init(original: Callable[..., None]) -> Callable[..., None]:
            def __init__(executor: Any, /, *args: Any, **options: Any) -> None:  # noqa: N807 -- the name of what it replaces
                if not isinstance(executor, futures.ThreadPoolExecutor):
                    pools.note(executor)  # before: a pool starts its workers meanwhile
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
            executor_classes, "__init__", wrap_init, "executors", after=(*pools.EXECUTORS, pools.POOLS)
        )
        yield Patch(work_items, "__init__", wrap_work, "work of executors", after=pools.EXECUTORS)
        yield Patch(
            asyncio_.loop_classes, "set_default_executor", wrap_default, "default executors", after=UVLOOP
        )
        yield Patch(
            asyncio_.uvloops, "run_in_executor", wrap_uvloop, "default executors of uvloop", after=UVLOOP
        )

    def alive(self, thing: Any) -> bool:
        if isinstance(thing, concurrent.futures.Future):
            return not thing.done()
        if thing in self.going:
            return any(child.status() is not processes.GONE for child in self.going[thing])
        return futures.is_open(thing) and thing not in self.defaults

    def parts(self, thing: Any) -> Iterable[Any]:
        return () if isinstance(thing, concurrent.futures.Future) else futures.futures_of(thing)

    def keeper(self, thing: Any) -> Iterable[Any]:
        if not isinstance(thing, concurrent.futures.Future):
            return (thing,)
        # An executor with processes holds what it has to do, which does not make that its own.
        first = thing if pools.work_of(thing) is None else object()
        return (first, *futures.bound_to(futures.work_of(thing)[1]))

    def describe(self, thing: Any) -> Resource:
        if isinstance(thing, concurrent.futures.Future):
            return describe_work(thing)
        kind = type(thing)
        workers = len(futures.workers(thing))
        ident, functions, calls = futures.calls_of(thing)
        was = "was not shut down"
        if pools.is_pool(thing):
            was = "was closed, not joined" if pools.is_closed(thing) else "was not closed"
        return Resource(
            code="TL303",
            name=futures.pool_name(thing),
            what=kind.__qualname__,
            module=kind.__module__,
            state=f"{was} ({workers} worker{'s' if workers != 1 else ''}, {load(functions, calls)})",
            waiting=stack(ident),
            waits_for=futures.blocked_in(ident) if ident else "",
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
            return False
        if not pools.is_pool(thing) and not pools.has_processes(thing):
            thing.shutdown(wait=False, cancel_futures=True)
            return False
        busy = futures.calls_of(thing)[2]
        children = [child for x in futures.workers(thing) if (child := processes.child_of(x)) is not None]
        self.going[thing] = children
        if pools.is_pool(thing):
            pools.terminate(thing)
        else:
            pools.shut_down(thing)
            for child in children if busy else ():
                child.send(processes.TERMINATE)
        return True

    def insist(self, thing: Any) -> bool:
        for child in self.going.get(thing, ()):
            child.send(processes.KILL)
            if child.status() is processes.EXITED:
                child.reap(force=True)
        return thing in self.going

    def advice(self, resource: Resource) -> str:
        if resource.code != "TL303":
            return "wait for the call's result, and give the call a way to be stopped"
        if resource.state.startswith("was not shut down"):
            return "use the executor in a with statement, or call its shutdown()"
        return "use the pool in a with statement, or call its close() and then join()"

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        executor = concurrent.futures.ThreadPoolExecutor(1)
        executor.submit(int).result()
        try:
            yield executor
        finally:
            executor.shutdown()


def load(functions: list[Any], count: int) -> str:
    """Say with what the workers of an executor are busy."""
    if not count:
        return "idle"
    if not functions:
        return f"busy with {count} call{'s' if count > 1 else ''}"
    module, what = futures.describe(functions[0])
    name = what if module in {"", "builtins"} else f"{module}.{what}"
    more = count - 1
    return f"busy with {name}" + (f" and {more} more call{'s' if more > 1 else ''}" if more else "")


def stack(ident: int | None) -> tuple[Frame, ...]:
    """Return the frames of a worker thread, the outermost first."""
    return tuple(frame_at(code, line) for code, line in futures.stack_of(ident)) if ident else ()


def describe_work(future: concurrent.futures.Future[Any]) -> Resource:
    """Tell of a call that an executor still works on, or has not begun."""
    ident, function = futures.work_of(future)
    module, what = futures.describe(function) if function is not None else ("", "a queued call")
    thread = next((t for t in threading.enumerate() if t.ident == ident), None)
    running = ident is not None or future.running()
    where = f" in thread {thread.name!r}" if thread is not None else ""
    return Resource(
        code="TL304",
        name=what,
        what=what,
        module=module,
        state=f"is still {'running' + where if running else 'waiting for a worker'}",
        role="target",
        noun="executor call",
        waiting=stack(ident),
        waits_for=futures.blocked_in(ident) if ident else "",
    )


def executor_classes() -> Iterable[type]:
    """Yield the classes of executors and pools of the standard library that are loaded."""
    yield futures.ThreadPoolExecutor
    yield from pools.executors()
    yield from pools.classes()


def work_items() -> Iterable[type]:
    """Yield the classes of what executors queue."""
    yield from futures.work_items()
    yield from pools.work_items()


detector = Executors()
