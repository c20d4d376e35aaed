"""What is handed to executors with threads, and has a worker begun it?

`submit` is replaced at the class, so that executors which are there already and those of subclasses tell too.
"""

from __future__ import annotations

import _thread
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pytest_taskleak.adapt import details, futures
from pytest_taskleak.safely import attribute, class_dict

NAME = "submit"


class Watch:
    """Tells of each work that executors get.

    Parameters:
        begins: called with an executor that has no worker yet, before its first work.
        submitted: called with the future and the executor.
    """

    def __init__(self, begins: Callable[[Any], None], submitted: Callable[[Any, Any], None]) -> None:
        self.begins = begins
        self.submitted = submitted
        self.runs = False
        self.ours: Any = None
        self.before: Any = None

    def install(self) -> None:
        """Begin to tell."""
        self.runs = True
        if class_dict(ThreadPoolExecutor).get(NAME) is self.ours:
            return
        self.before = original = ThreadPoolExecutor.submit

        def submit(self_: Any, /, *args: Any, **options: Any) -> Any:
            if not self.runs or self.ours is not submit:
                return original(self_, *args, **options)
            if not attribute(self_, "_threads"):
                self.begins(self_)
            future = original(self_, *args, **options)
            self.submitted(future, self_)
            return future

        self.ours = functools.update_wrapper(submit, original)
        ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]

    def uninstall(self) -> None:
        """Put `submit` back; if others have replaced ours, that stays in the chain and does nothing."""
        self.runs = False
        if class_dict(ThreadPoolExecutor).get(NAME) is self.ours:
            ThreadPoolExecutor.submit = self.before  # type: ignore[method-assign]
            self.ours = None


class Starts:
    """Knows the threads that were started below `threading` and have not begun.

    Such a thread is nowhere to be seen before the system has let it run for the first time.
    """

    def __init__(self) -> None:
        self.pending: dict[object, None] = {}
        self.ours: Any = None
        self.before: Any = None

    def install(self) -> None:
        """Begin to know them."""
        self.before = original = _thread.start_new_thread
        pending = self.pending

        def start_new_thread(function: Any, args: Any, *options: Any) -> int:
            started = object()

            def begin(*args: Any, **options: Any) -> None:
                pending.pop(started, None)
                function(*args, **options)

            pending[started] = None
            try:
                return original(begin if callable(function) else function, args, *options)
            except BaseException:
                pending.pop(started, None)
                raise

        self.ours = start_new_thread
        _thread.start_new_thread = start_new_thread

    def uninstall(self) -> None:
        """Put the function back, unless somebody has replaced ours."""
        if vars(_thread).get("start_new_thread") is self.ours:
            _thread.start_new_thread = self.before
        self.pending.clear()


def is_pending(future: Any) -> bool:
    """Tell whether no worker has begun a future, and it was not cancelled."""
    return future is not None and attribute(future, "_state") == "PENDING"


def all_workers(executor: Any) -> list[int]:
    """Return the idents of the workers of an executor that cannot get more; else nothing."""
    threads: Any = attribute(executor, "_threads") or ()
    most = attribute(executor, "_max_workers")
    idents = [ident for thread in list(threads) if type(ident := attribute(thread, "_ident")) is int]
    return idents if type(most) is int and len(idents) >= most else []


def call_of(future: Any, executor: Any) -> tuple[str, str]:
    """Return (function, pool) of queued work; the function is empty if it is taken just now."""
    items = (item for item in futures.queued_work(executor) if attribute(item, "future") is future)
    item = next(items, None)
    function = None if item is None else futures.function_of(item)
    return details.function(function), futures.pool_name(executor)
