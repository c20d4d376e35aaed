"""What of anyio would bring chance into a simulated loop: the order of its scopes, and its threads?

anyio keeps the scopes below a scope in a set, whose order is that of addresses, and cancels in that order.
Its calls in worker threads do not go by the loop's executor.  While somebody wants it, scopes keep their
order, and on a simulated loop such calls are those of the loop's pool, which takes virtual time.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from pytest_taskleak.adapt.anyio import BACKEND, backend
from pytest_taskleak.adapt.asyncio_ import coro_of
from pytest_taskleak.adapt.hermetic import HermeticLoop

SETS = ("_child_scopes", "_tasks")
"""What a scope keeps in sets."""
CHILDREN = (("TaskHandle", "_run_coro"), ("TaskGroup", "_run_wrapped_task"))
"""Where the coroutine of a task group's child is, by the version of anyio."""


class InOrder:
    """A set that is walked through in the order in which things were added; only what anyio asks of it."""

    __slots__ = ("_things",)

    def __init__(self, things: Any = ()) -> None:
        self._things: dict[Any, None] = dict.fromkeys(things)

    def add(self, thing: Any) -> None:
        """Add something."""
        self._things[thing] = None

    def discard(self, thing: Any) -> None:
        """Remove something, if it is there."""
        self._things.pop(thing, None)

    def remove(self, thing: Any) -> None:
        """Remove something.

        Raises:
            KeyError: it is not there.
        """
        del self._things[thing]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)

    def __contains__(self, thing: object) -> bool:
        return thing in self._things


class AnyioInOrder:
    """Takes chance out of anyio while it is installed; does nothing where anyio is not loaded."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def install(self) -> None:
        """Begin."""
        if "anyio" in sys.modules and backend() is None:
            with contextlib.suppress(ImportError):
                importlib.import_module(BACKEND)  # it is loaded when it is first used: that is too late
        module = backend()
        scope = getattr(module, "CancelScope", None)
        if isinstance(scope, type) and "__init__" in vars(scope):
            self._put(scope, "__init__", ordering(vars(scope)["__init__"]))
        own = getattr(module, "AsyncIOBackend", None)
        calls = vars(own).get("run_sync_in_worker_thread") if isinstance(own, type) else None
        if isinstance(calls, classmethod):
            self._put(own, "run_sync_in_worker_thread", classmethod(in_pool(calls.__func__)))

    def uninstall(self) -> None:
        """End, and leave anyio as it was."""
        while self._undo:
            self._undo.pop()()

    def _put(self, owner: Any, name: str, new: Any) -> None:
        old = vars(owner)[name]
        setattr(owner, name, new)
        self._undo.append(lambda: setattr(owner, name, old))


def ordering(original: Any) -> Any:
    """Return a scope's `__init__` that lets it keep the order of what it holds."""

    def __init__(self: Any, *args: Any, **options: Any) -> None:  # noqa: N807 -- takes its place
        original(self, *args, **options)
        for name in SETS:
            if type(kept := getattr(self, name, None)) is set:
                setattr(self, name, InOrder(kept))

    return __init__


def in_pool(original: Any) -> Any:
    """Return what runs a call in the pool of a simulated loop, and in a worker thread of anyio elsewhere."""

    async def run_sync_in_worker_thread(
        cls: Any,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        abandon_on_cancel: bool = False,  # noqa: FBT002 -- as anyio has it
        limiter: Any = None,
    ) -> Any:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, HermeticLoop):
            return await original(cls, func, args, abandon_on_cancel, limiter)
        await cls.checkpoint()
        context = contextvars.copy_context()

        def call() -> Any:
            return context.run(func, *args)

        inner = func.func if isinstance(func, functools.partial) else func
        call.__qualname__ = getattr(inner, "__qualname__", type(inner).__qualname__)
        async with limiter or cls.current_default_thread_limiter():
            with cls.create_cancel_scope(shield=not abandon_on_cancel):
                return await loop.run_in_executor(None, call)

    return run_sync_in_worker_thread


def is_child(task: Any) -> bool:
    """Tell whether a task is the child of a task group of anyio: it is cancelled through its scope alone."""
    module = backend()
    code = getattr(coro_of(task), "cr_code", None) if module is not None else None
    if code is None:
        return False
    return any(
        getattr(getattr(getattr(module, owner, None), name, None), "__code__", None) is code
        for owner, name in CHILDREN
    )
