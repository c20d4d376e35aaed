"""Which threads are the idle or serving helpers of a library, known by object and not by name?"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

from pytest_taskleak.adapt import anyio as anyio_
from pytest_taskleak.adapt import futures
from pytest_taskleak.safely import is_a


def is_helper(thread: threading.Thread) -> bool:
    """Tell whether a thread is a cached worker that idles, or asyncio's wait for a child process."""
    if anyio_.is_worker(thread):
        return any(idle is thread for idle in tuple(getattr(thread, "idle_workers", ())))
    owner = next(iter(futures.bound_to(futures.target_of(thread))), None)
    watcher: Any = getattr(asyncio, "unix_events", None)
    kinds = tuple(
        kind
        for name in ("ThreadedChildWatcher", "_ThreadedChildWatcher")
        if (kind := getattr(watcher, name, None)) is not None
    )
    if owner is not None and kinds and is_a(owner, kinds):
        return True
    cache: Any = sys.modules.get("trio._core._thread_cache")
    worker = getattr(cache, "WorkerThread", None)
    if worker is None or not is_a(owner, worker):
        return False
    idle = getattr(getattr(owner, "_thread_cache", None), "_idle_workers", {})
    return any(x is owner for x in tuple(idle))
