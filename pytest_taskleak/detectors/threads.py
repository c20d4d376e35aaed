"""Which threads are left running?

Workers of executors are told by their executor; the cached workers of anyio and trio do not count
while they idle; asyncio's own helpers that wait for a child process belong to that process.
"""

from __future__ import annotations

import _thread
import contextlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from pytest_taskleak.adapt import futures, helpers
from pytest_taskleak.adapt.awaiting import frame_at
from pytest_taskleak.adapt.standing import waits_for
from pytest_taskleak.detectors.base import Detector, Patch, Recorder
from pytest_taskleak.model import Code, Frame, Resource


class RawThread:
    """A thread made by `_thread.start_new_thread`, which has no object of its own."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.module, self.what = futures.describe(function)
        self.ident: int | None = None
        self.running = True


class Threads(Detector):
    """Threads of `threading` and `_thread`."""

    kind = "thread"
    rank = 30
    carries = True
    codes: ClassVar = {
        "TL301": Code(
            title="thread left running",
            meaning="A thread was alive when its owner's scope had closed.",
            cause="No stop signal, no join(); a blocking call without a timeout; a Timer not cancelled.",
            cure="Give the thread a way to stop, then join() it.",
        ),
        "TL302": Code(
            title="raw thread left running",
            meaning="A thread of _thread.start_new_thread was alive when its owner's scope had closed.",
            cause="Such a thread cannot be joined; nothing waits for it.",
            cure="Use threading.Thread and join() it.",
        ),
    }

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        record = recorder(self.kind, mark=True)

        def wrap_start(original: Callable[..., Any]) -> Callable[..., Any]:
            def start(self: threading.Thread) -> None:
                if futures.pool_of(self) is None:
                    record(self, sys._getframe(1))
                original(self)

            return start

        def wrap_raw(original: Callable[..., int]) -> Callable[..., int]:
            def start_new_thread(function: Any, args: Any, *kwargs: Any) -> int:
                if not callable(function):
                    return original(function, args, *kwargs)
                raw = RawThread(function)
                record(raw, sys._getframe(1))

                def run(*args: Any, **kwargs: Any) -> None:
                    raw.ident = threading.get_ident()
                    try:
                        function(*args, **kwargs)
                    finally:
                        raw.running = False

                run.__name__ = run.__qualname__ = raw.what  # pytest names it when it raises
                return original(run, args, *kwargs)

            return start_new_thread

        yield Patch(lambda: [threading.Thread], "start", wrap_start, "threads")
        yield Patch(lambda: [_thread], "start_new_thread", wrap_raw, "raw threads")

    def alive(self, thing: Any) -> bool:
        if isinstance(thing, RawThread):
            return thing.running
        return thing.is_alive() and thing is not threading.current_thread() and not helpers.is_helper(thing)

    def wait(self, thing: Any, seconds: float) -> None:
        if isinstance(thing, RawThread):
            super().wait(thing, seconds)
        else:
            thing.join(seconds)

    def keeper(self, thing: Any) -> Iterable[Any]:
        if isinstance(thing, RawThread):
            return (thing,)
        return (thing, *futures.bound_to(futures.target_of(thing)))

    def describe(self, thing: Any) -> Resource:
        if isinstance(thing, RawThread):
            frames = stack(thing.ident)
            return Resource(
                code="TL302",
                name=thing.what,
                what=thing.what,
                module=thing.module,
                state="(started by _thread) is still running",
                waiting=frames,
                waits_for=waits_for(thing.ident),
                role="target",
            )
        module, what = futures.describe(futures.target_of(thing))
        daemon = "daemon" if thing.daemon else "non-daemon"
        timer = isinstance(thing, threading.Timer)
        waits = waits_for(thing.ident)
        if isinstance(thing, threading.Timer):
            waits = f"its interval of {thing.interval} s"
        return Resource(
            code="TL301",
            name=thing.name,
            what=what,
            module=module,
            state=f"({'threading.Timer' if timer else daemon}) is still running",
            waiting=stack(thing.ident),
            waits_for=waits,
            role="target",
        )

    def helper(self, thing: Any) -> bool:
        return isinstance(thing, threading.Thread) and thing.daemon

    def blocks_exit(self, thing: Any) -> bool:
        return not isinstance(thing, RawThread) and not thing.daemon

    def remove(self, thing: Any) -> bool:
        if not isinstance(thing, threading.Timer):
            return False
        thing.cancel()
        return True

    def advice(self, resource: Resource) -> str:
        if "threading.Timer" in resource.state:
            return "call the timer's cancel(), then join() it"
        return "tell the thread to stop (an Event, a sentinel), then join() it"

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait, name="taskleak-canary", daemon=True)
        thread.start()
        try:
            yield thread
        finally:
            stop.set()
            thread.join()


def stack(ident: int | None) -> tuple[Frame, ...]:
    """Return the frames of a running thread, the outermost first."""
    return tuple(frame_at(code, line) for code, line in futures.stack_of(ident))


detector = Threads()
