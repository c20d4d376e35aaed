"""How is an exception told without running code of the user, and who was to see it?

All of this may be called while the collector runs: no import, no lock, nothing formatted by the user.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from types import FunctionType, MethodType, SimpleNamespace, TracebackType, WrapperDescriptorType
from typing import Any

from pytest_taskleak.adapt.awaiting import frame_at
from pytest_taskleak.adapt.code import SKIP, kind_of
from pytest_taskleak.model import Frame
from pytest_taskleak.safely import is_a

MOST_TEXT = 120
MOST_FRAMES = 30
CYTHON = ".pyx"
SCALARS = frozenset({str, bytes, int, float, bool, type(None)})
PARTS = {OSError: ("errno", "strerror", "filename", "filename2"), SyntaxError: ("msg", "filename", "lineno")}
"""Exceptions that tell more than their arguments: type -> the attributes that are told."""
ENDS_THE_PROCESS = (KeyboardInterrupt, SystemExit)
NO_LOSS = (*ENDS_THE_PROCESS, asyncio.CancelledError)
"""Told to nobody: the loop gives the first two on, and who cancels knows of the third."""
DESTROYED = "Task was destroyed but it is pending!"
NEVER_RETRIEVED = "exception was never retrieved"
IN_SHIELD = "exception in shielded future"
AT_SHUTDOWN = "unhandled exception during asyncio.run() shutdown"


def name_of(error: BaseException) -> str:
    """Return type and message of an exception, as the last line of its traceback would say."""
    kind = type(error).__qualname__
    message = message_of(error)
    return shortened(f"{kind}: {message}" if message else kind)


def shortened(text: str) -> str:
    """Return a text on one line, cut where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= MOST_TEXT else line[: MOST_TEXT - 3] + "..."


def message_of(error: BaseException) -> str:
    """Return the message of an exception; nothing where only user code could tell it."""
    if not is_a(type(error).__str__, WrapperDescriptorType):
        return ""
    if is_a(error, BaseExceptionGroup):
        return f"{error.message} (of {len(error.exceptions)})" if type(error.message) is str else ""
    shown = [*error.args]
    for kind, names in PARTS.items():
        if is_a(error, kind):  # read as C code does it, whatever a subclass puts in the way
            shown += [vars(kind)[name].__get__(error) for name in names]
    return str(error) if all(type(part) in SCALARS for part in shown) else ""


def frames_of(trace: TracebackType | None) -> tuple[Frame, ...]:
    """Return the lines of a traceback, the outermost first; those nearest to the error are kept."""
    found: list[Frame] = []
    while trace is not None:
        found.append(frame_at(trace.tb_frame.f_code, trace.tb_lineno))
        trace = trace.tb_next
    return tuple(found[-MOST_FRAMES:])


def origin(trace: TracebackType | None) -> tuple[str, str]:
    """Return (module, qualified name) of the first function of a traceback outside the standard library."""
    while trace is not None:
        code = trace.tb_frame.f_code
        if kind_of(code.co_filename) < SKIP and not code.co_filename.endswith(CYTHON):
            return str(trace.tb_frame.f_globals.get("__name__", "")), code.co_qualname
        trace = trace.tb_next
    return "", ""


def unretrieved(future: Any) -> BaseException | None:
    """Return the exception of a done task or future that nobody has asked for, without asking for it.

    The main task of a runner hands its exception on to the caller of the runner, which marks it so.
    """
    if not getattr(future, "_log_traceback", False) or not getattr(future, "_log_destroy_pending", True):
        return None
    error: BaseException | None = getattr(future, "_exception", None)
    return None if is_a(error, ENDS_THE_PROCESS) else error


def listens(handler: Any, error: Any) -> bool:
    """Tell whether somebody acts on what a loop's exception handler is told.

    The runner of anyio's plugin raises exceptions in the test, and leaves everything else to the log.
    """
    function = handler.__func__ if is_a(handler, MethodType) else handler
    if str(getattr(function, "__module__", "")).startswith("anyio."):
        return is_a(error, Exception)
    return handler is not None


def real_handle(handle: Any) -> Any:
    """Return the handle of a loop; nothing where somebody calls another thing so."""
    return handle if type(handle).__module__.partition(".")[0] in ("asyncio", "uvloop") else None


def is_ignored(category: type[Warning] | None, text: str, module: str = "", line: int = 0) -> bool:
    """Tell whether a filter that holds just now swallows a warning."""
    if category is None:
        return False
    for action, message, kind, place, number in list(filters()):
        if (
            number in (0, line)
            and issubclass(category, kind)
            and matches(message, text)
            and matches(place, module)
        ):
            return bool(action == "ignore")
    return False


def matches(pattern: Any, text: str) -> bool:
    """Tell whether the pattern of a filter fits; a missing one fits everything."""
    if pattern is None:
        return True
    if is_a(pattern, str):
        return bool(pattern == text)
    return pattern.match(text) is not None


def filters() -> Any:
    """Return the filters that hold in this context; before 3.14 there is one list for all."""
    get: Any = getattr(warnings, "_get_filters", None)
    return warnings.filters if get is None else get()


_context: Any = getattr(warnings, "_get_context", None)  # from 3.14 on
BY_CONTEXT = _context is not None


def recorder() -> tuple[int, int]:
    """Return what tells who shows or records warnings; another one means that somebody catches them."""
    log = None if _context is None else getattr(_context(), "log", None)
    shows = log if log is not None else warnings._showwarnmsg_impl  # type: ignore[attr-defined]
    return id(shows), id(warnings.showwarning)


def one_frame_up(function: Any) -> Any:
    """Return a copy of a function of `warnings` that counts frames from the caller of its caller.

    So that a warning which passes through a wrapper still names the line it is about.  A function of
    unknown make is returned as it is.
    """
    if getattr(function, "__module__", "") not in ("warnings", "_py_warnings"):
        return function

    def warn(message: Any, category: Any = None, stacklevel: int = 1, source: Any = None) -> None:
        warnings.warn(message, category, stacklevel + 2, source)

    names = {**function.__globals__, "warn": warn, "_wm": SimpleNamespace(warn=warn)}
    return FunctionType(function.__code__, names, function.__name__, function.__defaults__)


def thread_warning() -> type[Warning] | None:
    """Return the warning by which pytest tells of an exception in a thread."""
    return getattr(sys.modules.get("pytest"), "PytestUnhandledThreadExceptionWarning", None)
