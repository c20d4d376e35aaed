"""Which of anyio's own tasks and threads are no leak, and how does the owner reach its test runner?

anyio runs all tests and fixtures of a module in one task, whose context is as old as the first of
them.  The owner is therefore set inside that context at each step.
"""

from __future__ import annotations

import contextlib
import contextvars
import sys
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from pytest_taskleak.adapt import asyncio_

BACKEND = "anyio._backends._asyncio"
TRIO_BACKEND = "anyio._backends._trio"
OWN_COROUTINES = ("_shutdown_process_pool_on_exit",)


def backend() -> Any:
    """Return anyio's asyncio backend if something has imported it."""
    return sys.modules.get(BACKEND)


def is_machinery(task: asyncio_.Task) -> bool:
    """Tell whether a task is anyio's runner task or its process pool's guard, by code object."""
    module = backend()
    if module is None:
        return False
    code = getattr(asyncio_.coro_of(task), "cr_code", None)
    runner = getattr(getattr(module, "TestRunner", None), "_run_tests_and_fixtures", None)
    own = [runner, *(getattr(module, name, None) for name in OWN_COROUTINES)]
    return code is not None and any(getattr(f, "__code__", None) is code for f in own)


def hands_over(task: asyncio_.Task) -> bool:
    """Tell whether a task only waits until anyio's runner task has run something for it."""
    called = getattr(getattr(backend(), "TestRunner", None), "_call_in_runner_task", None)
    coro = asyncio_.coro_of(task)
    own = getattr(coro, "cr_code", None)
    return own is not None and (
        own is getattr(getattr(called, "__wrapped__", called), "__code__", None)
        or own.co_name == "call_in_runner_task"
    )


def is_worker(thread: Any) -> bool:
    """Tell whether a thread is one of anyio's cached workers."""
    module = backend()
    kind = getattr(module, "WorkerThread", None)
    return kind is not None and isinstance(thread, kind)


def runners() -> Iterable[type]:
    """Return the class whose steps must carry the owner."""
    runner = getattr(backend(), "TestRunner", None)
    return () if runner is None else (runner,)


def carry(var: contextvars.ContextVar[Any]) -> Callable[[Any], Any]:
    """Return the wrapper that sets `var` in the runner task's context before each step."""

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        async def call_in_runner_task(self: Any, /, *args: Any, **options: Any) -> Any:
            task = getattr(self, "_runner_task", None)
            context = None if task is None else asyncio_.context_of(task)
            if context is not None:
                with contextlib.suppress(RuntimeError):  # entered: the runner task is running right now
                    context.run(var.set, var.get())
            return await original(self, *args, **options)

        return call_in_runner_task

    return wrap


def trio_runners() -> Iterable[type]:
    """Return the class that does the same on trio."""
    runner = getattr(sys.modules.get(TRIO_BACKEND), "TestRunner", None)
    return () if runner is None else (runner,)


_tasks: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()
"""Runner on trio -> the task in which it runs everything."""


def note_task(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return the wrapper that remembers the one task of a runner on trio."""

    async def run_tests_and_fixtures(self: Any, /, *args: Any, **options: Any) -> Any:
        lowlevel = sys.modules["trio"].lowlevel
        with contextlib.suppress(TypeError):
            _tasks[self] = weakref.ref(lowlevel.current_task())
        return await original(self, *args, **options)

    return run_tests_and_fixtures


def carry_to_trio(var: contextvars.ContextVar[Any]) -> Callable[[Any], Any]:
    """Return the wrapper that sets `var` in that task's context before each step."""

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def call_in_runner_task(self: Any, /, *args: Any, **options: Any) -> Any:
            known = _tasks.get(self)
            task = None if known is None else known()
            if task is not None:
                with contextlib.suppress(RuntimeError):  # entered: see `carry`
                    task.context.run(var.set, var.get())
            return original(self, *args, **options)

        return call_in_runner_task

    return wrap
