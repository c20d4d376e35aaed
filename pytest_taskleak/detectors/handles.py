"""Which timers (`call_later`, `call_at`) are left scheduled?

A timer of a task's own `sleep` or `timeout` is part of that task.  A timer of a protocol whose
transport is open belongs to the connection, one that calls its own loop (`loop.stop`) or holds only
a weak reference does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.asyncio_ import UV_DRIVER, UVLOOP
from pytest_taskleak.adapt.futures import bound_to, describe
from pytest_taskleak.detectors.base import Detector, Ending, Patch, Recorder
from pytest_taskleak.model import Code, Resource
from pytest_taskleak.safely import is_a

TASKS_FILE = asyncio.tasks.__file__
TIMEOUTS_FILE = asyncio.timeouts.__file__
ROUNDING = 1e-3
OF_TASKS = frozenset({TASKS_FILE, TIMEOUTS_FILE})
BASE_FILE = asyncio.base_events.__file__


class Handles(Detector):
    """Timers of a loop that wait for their time."""

    kind = "timer"
    rank = 20
    codes: ClassVar = {
        "TL201": Code(
            title="timer left scheduled",
            meaning="A call_later() or call_at() timer was still armed when its owner's scope had closed.",
            cause="The handle was not kept, or close() forgets it; a periodic callback arms itself again.",
            cure="Keep the handle and cancel it when closing.",
        ),
        "TL202": Code(
            title="timer dropped",
            meaning="A loop was closed while a timer on it was still scheduled; its callback will never run.",
            cause="As TL201, seen at the last moment.",
            cure="Keep the handle and cancel it when closing.",
        ),
    }

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        record = recorder(self.kind, mark=False)

        def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
            def schedule(self: Any, /, *args: Any, **options: Any) -> Any:
                handle = original(self, *args, **options)
                frame = sys._getframe(1)
                file = frame.f_code.co_filename
                if file == BASE_FILE and frame.f_back is not None:
                    frame = frame.f_back  # `call_later` of the stock loop goes through `call_at`
                    file = frame.f_code.co_filename
                if file not in OF_TASKS:
                    record(handle, frame)
                return handle

            return schedule

        without = "timers"
        yield Patch(asyncio_.loop_classes, "call_at", wrap, without, after=UVLOOP)
        yield Patch(asyncio_.uvloops, "call_later", wrap, without, after=UVLOOP)
        for name in ("call_at", "call_later"):
            yield Patch(asyncio_.uv_drivers, name, wrap, without, after=UV_DRIVER)

    def alive(self, thing: Any) -> bool:
        if not asyncio_.timer_alive(thing) or innocent(thing):
            return False
        loop = asyncio_.loop_of_handle(thing)
        return loop is not None and not loop.is_closed()  # what a closed loop dropped was noted then

    def on_loop(self, loop: Any, ending: Ending) -> Iterable[Any]:
        return asyncio_.scheduled(loop) if ending == "close" and asyncio_.has_timers(loop) else ()

    def loop(self, thing: Any) -> Any:
        return asyncio_.loop_of_handle(thing)

    def patience(self, thing: Any) -> float:
        loop = asyncio_.loop_of_handle(thing)
        if loop is None:
            return float("inf")
        return float(max(0.0, thing.when() - loop.time()))

    def passing(self, thing: Any, seconds: float) -> bool:
        return self.patience(thing) <= seconds

    def keeper(self, thing: Any) -> Iterable[Any]:
        callback, _ = asyncio_.handle_parts(thing)
        return (thing, *bound_to(callback))

    def describe(self, thing: Any) -> Resource:
        callback, _ = asyncio_.handle_parts(thing)
        module, what = describe(callback)
        return Resource(
            code="TL201",
            name=what,
            what=what,
            module=module,
            state="is still scheduled",
            waits_for=f"its time, {due_in(self.patience(thing))}{of_which(thing)}",
            role="callback",
        )

    def ended(self, resource: Resource, ending: Ending) -> Resource:
        state = "was still scheduled when its loop was closed"
        return replace(resource, code="TL202", state=state, outlives=False)

    def remove(self, thing: Any) -> bool:
        loop = asyncio_.loop_of_handle(thing)
        if loop is not None and asyncio_.runs_elsewhere(loop):
            loop.call_soon_threadsafe(thing.cancel)
        else:
            thing.cancel()
        return False

    def advice(self, resource: Resource) -> str:
        return "keep the handle that call_later() returns, and handle.cancel() it when closing"

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        loop = asyncio.new_event_loop()
        handle = loop.call_later(3600, print)
        try:
            yield handle
        finally:
            handle.cancel()
            loop.close()


def due_in(seconds: float) -> str:
    """Say when a timer is due, in whole seconds."""
    return f"due in {math.ceil(seconds - ROUNDING)} s" if math.isfinite(seconds) else "which never comes"


def of_which(handle: asyncio.TimerHandle) -> str:
    """Say of which time the delay is, where that is not the real one."""
    return " of virtual time" if getattr(type(handle), "virtual", False) else ""


def innocent(handle: asyncio.TimerHandle) -> bool:
    """Tell whether a timer is part of something else, or harmless by construction."""
    callback, args = asyncio_.handle_parts(handle)
    if asyncio_.belongs_to_task(callback):
        return True
    if args and is_weak(args[0]):
        return True
    target = next(iter(bound_to(callback)), None)
    return is_a(target, asyncio.AbstractEventLoop) or asyncio_.open_transport(target)


def is_weak(argument: Any) -> bool:
    """Tell whether a timer does its work on a weak reference, which may come in a tuple."""
    first = argument[0] if type(argument) is tuple and argument else argument
    return is_a(first, weakref.ref)


detector = Handles()
