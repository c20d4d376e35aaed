"""By which replaced attributes is the making of things seen, and how are they put back?

They stand below those of the watch, which may be installed later; each passes through once the audit is over.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from traceback import format_exc
from typing import Any

from pytest_taskleak.adapt import asyncio_, futures
from pytest_taskleak.adapt.asyncio_ import UV_DRIVER, UVLOOP
from pytest_taskleak.audit.births import of_thread
from pytest_taskleak.audit.seen import MARK, Seen
from pytest_taskleak.detectors.base import Patch
from pytest_taskleak.engine.patch import Patches

OF_TASKS = frozenset({asyncio.tasks.__file__, asyncio.timeouts.__file__})
MOST_FAULTS = 3
Note = Callable[[Any, Any], None]


def code_inside(function: Any, name: str) -> Any:
    """Return the code of a function that another one defines."""
    constants = getattr(getattr(function, "__code__", None), "co_consts", ())
    return next((x for x in constants if getattr(x, "co_name", "") == name), None)


THREADSAFE = code_inside(asyncio.run_coroutine_threadsafe, "callback")
"""What `run_coroutine_threadsafe` hands to the loop."""


class Wraps:
    """The replaced attributes of one audit.

    Parameters:
        seen: gets what is made.
    """

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.patches = Patches()
        self.hook: Any = None
        self.ours: Any = None

    def install(self) -> None:
        """Begin to see."""
        self.seen.on = True
        self.patches.table = [*self._table()]
        self.patches.noticer.names = frozenset({*UVLOOP, *UV_DRIVER})
        self.patches.noticer.install()
        self.patches.refresh()
        self.hook = threading.excepthook
        self.ours = threading.excepthook = self._failed

    def uninstall(self) -> None:
        """Put back what was there."""
        self.seen.on = False
        for installed in reversed(self.patches.installed.values()):
            installed.undo()
        self.patches.installed.clear()
        self.patches.noticer.uninstall()
        if threading.excepthook is self.ours:
            threading.excepthook = self.hook

    def refresh(self) -> None:
        """Wrap what was imported since; the watch's own noticer may have been asked first."""
        self.patches.refresh()

    def note(self, what: Note, thing: Any, frame: Any) -> None:
        """Write something down; what goes wrong here is not the user's."""
        if not self.seen.on:
            return
        try:
            what(thing, frame)
        except Exception:  # noqa: BLE001 -- the audit never harms the run
            if len(self.seen.faults) < MOST_FAULTS:
                self.seen.faults.append(format_exc())

    def _failed(self, args: Any, /) -> None:
        if args.thread is not None:
            self.note(lambda thread, _: self.seen.failed(thread), args.thread, None)
        self.hook(args)

    def _table(self) -> Iterator[Patch]:
        loops = asyncio_.loop_classes
        yield Patch(loops, "create_task", self._task, "", after=UVLOOP)
        yield Patch(loops, "call_at", self._timer, "", after=UVLOOP)
        yield Patch(asyncio_.uvloops, "call_later", self._timer, "", after=UVLOOP)
        for name in ("call_at", "call_later"):
            yield Patch(asyncio_.uv_drivers, name, self._timer, "", after=UV_DRIVER)
        yield Patch(loops, "call_soon_threadsafe", self._threadsafe, "", after=UVLOOP)
        yield Patch(lambda: [asyncio.TimerHandle], "cancel", self._cancel, "")
        yield Patch(lambda: [threading.Thread], "__init__", self._make_thread, "")
        yield Patch(lambda: [threading.Thread], "start", self._start_thread, "")
        yield Patch(lambda: [threading.Thread], "join", self._join_thread, "")

    def _task(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def create_task(loop: Any, /, *args: Any, **options: Any) -> Any:
            task = original(loop, *args, **options)
            self.note(self.seen.task, task, sys._getframe(1))
            return task

        return create_task

    def _timer(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def schedule(loop: Any, /, *args: Any, **options: Any) -> Any:
            handle = original(loop, *args, **options)
            frame = sys._getframe(1)
            if frame.f_code.co_filename not in OF_TASKS:
                self.note(self.seen.timer, handle, frame)
            return handle

        return schedule

    def _threadsafe(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call_soon_threadsafe(loop: Any, /, *args: Any, **options: Any) -> Any:
            code = getattr(args[0], "__code__", None) if args else None
            if code is not None and code is THREADSAFE:
                cells = dict(zip(code.co_freevars, args[0].__closure__ or (), strict=False))
                future = getattr(cells.get("future"), "cell_contents", None)
                if future is not None:
                    self.note(self.seen.threadsafe, future, user_of(sys._getframe(1)))
            return original(loop, *args, **options)

        return call_soon_threadsafe

    def _cancel(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def cancel(handle: Any, /) -> Any:
            self.note(lambda thing, _: self.seen.cancelled(thing), handle, None)
            return original(handle)

        return cancel

    def _make_thread(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __init__(thread: Any, /, *args: Any, **options: Any) -> None:  # noqa: N807 -- stands in for one
            original(thread, *args, **options)
            self.note(remember, thread, sys._getframe(1))

        return __init__

    def _start_thread(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def start(thread: Any, /) -> None:
            if futures.pool_of(thread) is None:
                self.note(self.seen.thread, thread, sys._getframe(1))
            original(thread)

        return start

    def _join_thread(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def join(thread: Any, /, *args: Any, **options: Any) -> Any:
            self.note(lambda thing, _: self.seen.joined(thing), thread, None)
            return original(thread, *args, **options)

        return join


def remember(thread: Any, frame: Any) -> None:
    """Write down on a thread object where it was made."""
    object.__setattr__(thread, MARK, of_thread(thread, frame))


def user_of(frame: Any) -> Any:
    """Return what has called `run_coroutine_threadsafe`."""
    while frame is not None and frame.f_code is not asyncio.run_coroutine_threadsafe.__code__:
        frame = frame.f_back
    return None if frame is None else frame.f_back
