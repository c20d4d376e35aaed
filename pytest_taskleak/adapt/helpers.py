"""Which threads are the idle or serving helpers of a library, known by object and not by name?"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

from pytest_taskleak.adapt import anyio as anyio_
from pytest_taskleak.adapt import futures


def is_helper(thread: threading.Thread) -> bool:
    """Tell whether a thread is a cached worker that idles, or asyncio's wait for a child process."""
    if anyio_.is_worker(thread):
        return is_idle(thread, tuple(anyio_.worker_codes()))
    target = futures.target_of(thread)
    owner = next(iter(futures.bound_to(target)), None)
    watcher: Any = getattr(asyncio, "unix_events", None)
    kinds = tuple(
        kind
        for name in ("ThreadedChildWatcher", "_ThreadedChildWatcher")
        if (kind := getattr(watcher, name, None)) is not None
    )
    if owner is not None and kinds and isinstance(owner, kinds):
        return True
    cache: Any = sys.modules.get("trio._core._thread_cache")
    worker = getattr(cache, "WorkerThread", None)
    if worker is not None and isinstance(owner, worker):
        return is_idle(thread, (worker._work.__code__,))  # noqa: SLF001
    return False


def is_idle(thread: threading.Thread, codes: tuple[Any, ...]) -> bool:
    """Tell whether the innermost frame outside the standard library is one of `codes`."""
    from pytest_taskleak.adapt.code import FILES, SKIP

    for code, _ in reversed(futures.stack_of(thread.ident)):
        if code in codes:
            return True
        if FILES[code.co_filename] != SKIP:
            return False
    return True
