"""Which exceptions did nobody get to see?

Of tasks that ended with one, the task itself says so while it lives; what dies before it is asked
comes by the loop's exception handler.  Where the user has set a handler or a hook of their own, the
exception was seen.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from pytest_taskleak.adapt import asyncio_, awaiting, exceptions, futures
from pytest_taskleak.adapt.asyncio_ import UVLOOP
from pytest_taskleak.adapt.exceptions import AT_SHUTDOWN, DESTROYED, IN_SHIELD, NEVER_RETRIEVED
from pytest_taskleak.detectors.base import Detector, Lose, Patch, Recorder
from pytest_taskleak.model import Code, Resource
from pytest_taskleak.safely import is_a

SOURCES = ("transport", "protocol", "server", "asyncgen")
FUTURES = ("future", "task")
"""Where the context of a loop's exception handler names what may carry the record of its birth."""


NAMELESS = ("None", "NoneType")
"""What stands for a coroutine that an eager task has given up already, and for some of Cython's."""


class Exceptions(Detector):
    """Exceptions of tasks, futures, callbacks and threads that were lost."""

    kind = "exception"
    plural = "lost exceptions"
    rank = 92
    source = "task"
    codes: ClassVar = {
        "TL701": Code(
            title="exception never retrieved",
            meaning="A task or future ended with an exception, and nobody asked for its result.",
            cause="create_task() whose task nobody awaits; gather(return_exceptions=True) that nobody reads.",
            cure="Await the task, or read its exception() in a done callback.",
        ),
        "TL702": Code(
            title="exception in a callback",
            meaning="A callback, protocol or transport raised, and the loop only logged it.",
            cause="A callback of call_soon, call_later, add_done_callback or of a protocol that raises.",
            cure="Catch the exception in the callback, or set a loop exception handler that acts on it.",
        ),
        "TL703": Code(
            title="exception in a thread",
            meaning="A thread ended with an exception, which threading.excepthook only printed.",
            cause="A thread's target that raises; nobody looks at what became of the thread.",
            cure="Catch the exception in the thread and hand it on, or use an executor and ask the future.",
        ),
        "TL704": Code(
            title="complaint to the loop",
            meaning="A library told the loop's exception handler of a fault, and the handler only logged it.",
            cause="A client session or connector that was dropped without being closed.",
            cure="Close what the message names, in a with statement or a finalizer.",
        ),
        "TL705": Code(
            title="exception that a library told the loop",
            meaning="A library, or asyncio for a connection that failed, gave an exception to the loop by "
            "itself, and the loop only logged it.",
            cause="A job that failed in a library which reports failures so; a TLS handshake that broke off.",
            cure="Look at the exception; set a loop exception handler, or the library's own, to act on it.",
            level="note",
        ),
    }

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        lose = recorder.losses(self.kind)

        def wrap_handler(original: Callable[..., Any]) -> Callable[..., Any]:
            def call_exception_handler(loop: Any, /, *args: Any, **options: Any) -> Any:
                context = args[0] if args else options.get("context")
                with contextlib.suppress(Exception):  # the loop must hear of it in any case
                    handled(loop, context, lose)
                return original(loop, *args, **options)

            return call_exception_handler

        def wrap_hook(original: Callable[..., Any]) -> Callable[..., Any]:
            def excepthook(args: Any, /) -> Any:
                with contextlib.suppress(Exception):  # see above
                    died(args, lose)
                return original(args)

            return excepthook

        yield Patch(
            asyncio_.loop_classes,
            "call_exception_handler",
            wrap_handler,
            "exceptions given to a loop",
            after=UVLOOP,
        )
        yield Patch(lambda: [threading], "excepthook", wrap_hook, "exceptions in threads")

    def alive(self, thing: Any) -> bool:
        return thing.done() and exceptions.unretrieved(thing) is not None

    def patience(self, thing: Any) -> float:
        return float("inf")  # who has not asked when the scope has closed does not ask any more

    def keeper(self, thing: Any) -> Iterable[Any]:
        return (thing,)

    def describe(self, thing: Any) -> Resource:
        return never_retrieved(thing)

    def remove(self, thing: Any) -> bool:
        thing.exception()  # it was told: asyncio need not log it once more, at an odd moment
        return False

    def advice(self, resource: Resource) -> str:
        return {
            "TL701": "await the task, or read its exception() in a done callback",
            "TL702": "catch the exception in the callback, or let it end a task that is awaited",
            "TL703": "catch the exception in the thread and hand it on, as the futures of an executor do",
            "TL705": "look at the exception; set a handler on the loop or in the library that acts on it",
        }.get(resource.code, "close what the message names")


def never_retrieved(future: Any) -> Resource:
    """Tell of a task or future whose exception nobody asked for."""
    error = future._exception  # noqa: SLF001 -- `exception()` would count as having asked
    module, what, whose = "", "a future", "a future"
    if hasattr(future, "get_coro"):
        module, what = awaiting.coroutine_name(future)
        if what in NAMELESS:
            module, what = exceptions.origin(error.__traceback__)
        name = future.get_name()
        whose = "a task" if name == "None" else f"task {name!r}"
    return lost(
        "TL701", error, module, what or "a task", "was never retrieved", ("of", whose), role="coroutine"
    )


def lost(
    code: str,
    error: BaseException,
    module: str,
    what: str,
    state: str,
    *details: tuple[str, str],
    role: str = "callback",
) -> Resource:
    """Tell of an exception, with the lines of its traceback."""
    return Resource(
        code=code,
        name=exceptions.name_of(error),
        what=what,
        module=module,
        state=state,
        waiting=exceptions.frames_of(error.__traceback__),
        where="raised",
        role=role,
        noun="lost exception",
        outlives=False,
        details=details,
    )


def handled(loop: Any, context: Any, lose: Lose) -> None:
    """Write down what a loop's exception handler is told, unless the user has set one that listens."""
    message = context.get("message")
    message = exceptions.shortened(message) if is_a(message, str) else ""
    error = context.get("exception")
    if message in (DESTROYED, AT_SHUTDOWN) or is_a(error, exceptions.NO_LOSS):
        return  # the first two are of the kind "task": it was pending
    if exceptions.listens(loop.get_exception_handler(), error):
        return
    frame = asyncio_.calling_frame(2)
    future = next((context[key] for key in FUTURES if context.get(key) is not None), None)
    if future is not None and message.endswith(IN_SHIELD):
        return  # the task is still there: whoever keeps it may ask for the exception
    if future is not None and message.endswith(NEVER_RETRIEVED):
        where = asyncio_.context_of(future) if hasattr(future, "get_coro") else None
        told = never_retrieved(future)
        lose(told, thing=future, future=future, context=where, frame=frame, name="create_future")
        return
    handle = exceptions.real_handle(context.get("handle"))
    source = next((context[key] for key in (*SOURCES, *FUTURES) if context.get(key) is not None), None)
    if error is None:
        told, name = complaint(message, context)
        lose(told, thing=source, frame=frame, name=name)
        return
    module, what = called(handle, error)
    details = () if handle is not None else (("said", message),)
    where = None if handle is None else asyncio_.context_of(handle)
    raised = handle is not None or bool(exceptions.origin(error.__traceback__)[1])
    code = "TL702" if raised and asyncio_.told_by_asyncio(context) else "TL705"
    told = lost(code, error, module, what or message, "was only logged by the loop", *details)
    lose(told, thing=source, context=where, frame=frame)


def called(handle: Any, error: BaseException) -> tuple[str, str]:
    """Return (module, name) of a handle's callback, or of what raised where there is none to be seen."""
    callback = getattr(handle, "_callback", None)  # uvloop's do not show theirs
    return exceptions.origin(error.__traceback__) if callback is None else futures.describe(callback)


def complaint(message: str, context: Any) -> tuple[Resource, str]:
    """Tell of a fault without an exception; return it with the name of the class that complains."""
    source = next((value for value in context.values() if not is_a(value, str | list)), None)
    kind = type(source)
    told = Resource(
        code="TL704",
        name=message,
        what=message if source is None else kind.__qualname__,
        module="" if source is None else kind.__module__,
        state="was told to the loop, which only logged it",
        noun="complaint",
        outlives=False,
    )
    return told, "" if source is None else kind.__name__


def died(args: Any, lose: Lose) -> None:
    """Write down the exception that ended a thread, unless a filter of pytest's warnings allows it."""
    if args.exc_value is None or is_a(args.exc_value, SystemExit):
        return
    thread = args.thread
    name = "<unknown>" if thread is None else thread.name
    if exceptions.is_ignored(exceptions.thread_warning(), f"Exception in thread {name}\n\n"):
        return
    module, what = exceptions.origin(args.exc_traceback)
    what = what or "a thread"
    state = "ended its thread, and was only printed"
    told = lost("TL703", args.exc_value, module, what, state, ("of", f"thread {name!r}"), role="target")
    lose(told, thing=thread)


detector = Exceptions()
