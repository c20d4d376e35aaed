"""Was an exception raised on purpose, or has an operation failed?

Who raises writes `raise`; that a name is missing, a key unknown or a future done already comes out of an
instruction that was to do something else.  The instruction at which each frame of a traceback stands tells.
"""

from __future__ import annotations

import asyncio
import dis
from collections.abc import Iterator
from types import CodeType, FrameType, TracebackType

from pytest_taskleak.adapt.code import LIBRARY, USER, kind_of
from pytest_taskleak.adapt.links import locals_of

_RAISE = dis.opmap.get("RAISE_VARARGS", -1)
MISUSES = (
    (asyncio.InvalidStateError, ""),
    (ValueError, "task_done() called too many times"),
    (RuntimeError, "cannot reuse already awaited coroutine"),
    (RuntimeError, "coroutine is being awaited already"),
)
"""What asyncio and its coroutines say to who has lost track: nobody tells a client so by design."""
SLIPS = (
    (AttributeError, ""),
    (TypeError, ""),
    (NameError, ""),
    (LookupError, ""),
    (AssertionError, ""),
    (RecursionError, ""),
    (RuntimeError, "Event loop is closed"),
)
"""What an operation raises that does not find what it needs; some use that as a refusal."""


def misuse(error: BaseException) -> bool:
    """Tell whether an exception says that asyncio was used wrongly."""
    return among(error, MISUSES)


def accident(error: BaseException) -> bool:
    """Tell whether an exception is of a sort that operations raise, and no code has raised it on purpose.

    An `AssertionError` is one in any case: `assert` is there for what cannot be.
    """
    if not (misuse(error) or among(error, SLIPS)):
        return False
    return isinstance(error, AssertionError) or not on_purpose(error)


def on_purpose(error: BaseException) -> bool:
    """Tell whether code of the user or of a library has raised an exception, or what it had kept of it."""
    return any(map(raises, steps(error.__traceback__)))


def among(error: BaseException, sorts: tuple[tuple[type[BaseException], str], ...]) -> bool:
    """Tell whether an exception is of a type, and begins with the text that goes with it."""
    return any(isinstance(error, kind) and (not text or str(error).startswith(text)) for kind, text in sorts)


def steps(trace: TracebackType | None) -> Iterator[TracebackType]:
    """Yield the entries of a traceback, the outermost first."""
    while trace is not None:
        yield trace
        trace = trace.tb_next


def raises(step: TracebackType) -> bool:
    """Tell whether code of the user or of a library stands at a `raise` in an entry."""
    code = step.tb_frame.f_code
    if not (told(code) or code.co_filename.startswith("<")):
        return False
    offset, found = step.tb_lasti, code.co_code
    if not 0 <= offset < len(found):
        return True  # compiled by others: nothing is known of it
    return found[offset] == _RAISE


def told(code: CodeType) -> bool:
    """Tell whether code is the user's or a library's, and no machinery."""
    return kind_of(code.co_filename) in (USER, LIBRARY)


def frames_of(error: BaseException) -> list[FrameType]:
    """Return the frames of user and libraries that an exception has come through, the outermost first."""
    return [step.tb_frame for step in steps(error.__traceback__) if told(step.tb_frame.f_code)]


def lines_of(error: BaseException) -> str:
    """Return the way of an exception, for people: each function of user and libraries, with its line."""
    every = [step for step in steps(error.__traceback__) if told(step.tb_frame.f_code)]
    return " -> ".join(f"{step.tb_frame.f_code.co_qualname}:{step.tb_lineno}" for step in every)


def owner_of(frame: FrameType) -> type | None:
    """Return the type of the object whose method a frame runs, `None` for a plain function."""
    code = frame.f_code
    if not code.co_argcount:
        return None
    found = locals_of(frame)
    first = code.co_varnames[0]
    return type(found[first]) if first == "self" and first in found else None


def cancellation_of(task: asyncio.Task[object]) -> asyncio.CancelledError | None:
    """Return with what a cancelled task has ended, `None` where who awaits the task has got it.

    The first entry of its traceback, which is ours, is taken away.
    """
    try:
        task.exception()
    except asyncio.CancelledError as error:
        trace = error.__traceback__.tb_next if error.__traceback__ is not None else None
        return error.with_traceback(trace) if trace is not None else None
    return None
