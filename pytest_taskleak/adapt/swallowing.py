"""Which line of the code under test keeps a `CancelledError` from ending its task?

Looked at only while a task that has resisted once is cancelled again.  From CPython 3.12 on the
interpreter tells of each exception that a handler takes (`sys.monitoring`), before that a trace function
does.  The same exception passes several handlers on its way out; the last one of them has kept it.
"""

from __future__ import annotations

import contextlib
import sys
from asyncio import CancelledError
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from pytest_taskleak.adapt import asyncio_, awaiting
from pytest_taskleak.adapt.handlers import Handler, handler_at, inside, outwards
from pytest_taskleak.model import Frame

TOOLS = (4, 3)
"""Ids of tools that nobody is known to use; 0 to 2 and 5 are a debugger's, coverage's, a profiler's, ..."""
NAME = "pytest-taskleak"
MOST_PLACES = 3
FIRST_STEPS = 4
"""Bytes within which a handler's first instruction with a line stands."""


@dataclass(frozen=True, slots=True)
class Swallow:
    """A clause that kept cancellations of one task.

    Parameters:
        frame: the line of the clause; the path is the file's own.
        handler: what stands there.
        count: how many it kept while it was looked at.
        within: the task is still in that clause: it cleans up, and does not end.
    """

    frame: Frame
    handler: Handler
    count: int
    within: bool


class Probe:
    """What became of the cancellations of some tasks while it was looked.

    Parameters:
        tasks: the tasks that are cancelled.
    """

    def __init__(self, tasks: Iterable[Any]) -> None:
        self.tasks = {id(task) for task in tasks}
        self.last: dict[int, tuple[BaseException, CodeType, int]] = {}
        self.kept: dict[int, dict[tuple[CodeType, int], int]] = {}

    def handled(self, code: CodeType, offset: int, error: BaseException) -> None:
        """Note that a handler takes an exception; called for each one in the whole process."""
        if not issubclass(type(error), CancelledError):
            return
        task = asyncio_.running_task()
        if task is None or id(task) not in self.tasks or handler_at(code, offset) is None:
            return
        before = self.last.get(id(task))
        if before is not None and before[0] is not error:
            self.keep(id(task))
        self.last[id(task)] = (error, code, offset)

    def keep(self, task: int) -> None:
        """Count what the last handler took as kept: the exception went no further."""
        _, code, offset = self.last.pop(task)
        places = self.kept.setdefault(task, {})
        places[code, offset] = places.get((code, offset), 0) + 1

    def close(self) -> None:
        """Let go of the exceptions."""
        for task in tuple(self.last):
            self.keep(task)

    def told(self, task: Any) -> tuple[Swallow, ...]:
        """Return the clauses that kept cancellations of a task, the busiest first."""
        places = self.kept.get(id(task), {})
        frames = awaiting.frames_of(task)
        found = []
        for (code, offset), count in sorted(places.items(), key=lambda pair: -pair[1])[:MOST_PLACES]:
            handler = handler_at(code, offset)
            if handler is not None:
                within = any(f.f_code is code and inside(code, offset, f.f_lasti) for f in frames)
                found.append(Swallow(awaiting.frame_at(code, handler.line), handler, count, within))
        return tuple(found)


@contextlib.contextmanager
def watching(probe: Probe) -> Iterator[None]:
    """Look at what handles the cancellations of some tasks of a probe meanwhile, where that is possible."""
    try:
        with contextlib.ExitStack() as stack:
            if probe.tasks:
                with contextlib.suppress(Exception):  # the watcher's own fault must not keep a task alive
                    stack.enter_context(listening(probe))
            yield
    finally:
        probe.close()


if sys.version_info >= (3, 12):

    @contextlib.contextmanager
    def listening(probe: Probe) -> Iterator[None]:
        """Hear of handled exceptions by `sys.monitoring`, if a tool's id is free."""
        monitoring = sys.monitoring
        tool = free_tool()
        if tool is None:
            yield
            return

        def handled(code: CodeType, offset: int, error: BaseException) -> None:
            with contextlib.suppress(Exception):  # it would come up in the code under test
                probe.handled(code, offset, error)

        event = monitoring.events.EXCEPTION_HANDLED
        try:
            monitoring.register_callback(tool, event, handled)
            monitoring.set_events(tool, event)
            yield
        finally:
            monitoring.set_events(tool, 0)
            monitoring.register_callback(tool, event, None)
            monitoring.free_tool_id(tool)

    def free_tool() -> int | None:
        """Take an id that no other tool uses."""
        for tool in TOOLS:
            try:
                sys.monitoring.use_tool_id(tool, NAME)
            except ValueError:
                continue
            return tool
        return None

else:

    @contextlib.contextmanager
    def listening(probe: Probe) -> Iterator[None]:
        """Hear of handled exceptions by a trace function, unless a debugger or a tool has set one."""
        if sys.gettrace() is not None:
            yield
            return
        tracer = Tracer(probe)
        try:
            sys.settrace(tracer.called)
            yield
        finally:
            sys.settrace(None)
            tracer.restore()


class Tracer:
    """Tells a probe of handled exceptions from the events of a trace function.

    An `exception` event names the raising instruction, whose innermost handler takes the exception.  If
    that one raises it again, no event says so; the first line of a handler further out does.

    Parameters:
        probe: what is told.
    """

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.before: dict[int, tuple[FrameType, Any]] = {}
        self.raised: dict[int, tuple[BaseException, list[int]]] = {}

    def called(self, frame: FrameType, event: str, arg: object) -> Any:
        """Follow the frames of coroutines and of what they call to handle an exception."""
        task = asyncio_.running_task()
        if task is None or id(task) not in self.probe.tasks:
            return None
        if id(frame) not in self.before:
            self.before[id(frame)] = (frame, frame.f_trace)
        return self.happened

    def happened(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Take note of one event of a frame."""
        with contextlib.suppress(Exception):  # it would come up in the code under test
            if event == "exception" and issubclass(arg[0], CancelledError):
                self.begin(frame, arg[1])
            elif event == "line" and id(frame) in self.raised:
                error, offsets = self.raised[id(frame)]
                for offset in offsets:
                    if 0 <= frame.f_lasti - offset <= FIRST_STEPS:
                        self.probe.handled(frame.f_code, offset, error)
            elif event == "return":
                self.raised.pop(id(frame), None)
        return self.happened

    def begin(self, frame: FrameType, error: BaseException) -> None:
        """Note the handlers that an exception may come to in a frame; the first one takes it."""
        code = frame.f_code
        found = [offset for offset in outwards(code, frame.f_lasti) if handler_at(code, offset) is not None]
        if found:
            self.probe.handled(code, found[0], error)
        self.raised[id(frame)] = error, found[1:]

    def restore(self) -> None:
        """Take the trace function from the frames again."""
        for frame, before in self.before.values():
            frame.f_trace = before
        self.before.clear()
        self.raised.clear()
