"""May this process be split in two, and how does its loop run on in the new half?"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Iterable
from typing import Any

from pytest_taskleak.adapt import os_threads
from pytest_taskleak.adapt.cpu_time import SENTRY
from pytest_taskleak.adapt.frames import current_frames

OURS = "taskleak-"
"""With what the names of the watcher's own threads begin."""


def hindrance() -> str:
    """Return why this process cannot be forked safely; empty where it can.

    Of all threads only the one that forks lives on in the child; what the others hold stays held for ever.
    """
    if not hasattr(os, "fork"):
        return "this system has no fork()"
    every = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    ours = [
        thread for thread in every if thread.name.startswith(OURS)
    ]  # they hold nothing, and are not missed
    others = [thread.name for thread in every if thread not in ours]
    if others:
        return f"other threads are alive: {', '.join(sorted(others))}"
    unknown = os_threads.count() - 1 - len(ours) - sentries()
    if os.path.isdir("/proc/self/task") and unknown > 0:
        return f"{unknown} thread(s) of C code are alive"
    return ""


def sentries() -> int:
    """Return how many sentries of the watcher wait: threads that no list of `threading` knows."""
    return sum(frame.f_code is SENTRY for frame in current_frames().values())


def askers() -> list[tuple[dict[str, Any], str]]:
    """Return where modules hold `asyncio.all_tasks`: their names, and under which."""
    found = []
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", None)
        if type(names) is dict:
            found += [(names, name) for name, value in list(names.items()) if value is asyncio.all_tasks]
    return found


def run_on(loop: Any, tasks: Iterable[Any], places: Iterable[tuple[dict[str, Any], str]]) -> None:
    """Let a loop be the running one again: in a child, asyncio takes that of the parent for none.

    From 3.14 on it forgets the parent's tasks, too; then `asyncio.all_tasks` is replaced by what knows them.
    Without this a service that asks for them would be stopped in another way than without a fork.

    Parameters:
        loop: it was running when the process was forked.
        tasks: of this loop.
        places: where `asyncio.all_tasks` is held.
    """
    asyncio._set_running_loop(loop)
    known = asyncio.all_tasks
    missing = {task for task in tasks if not task.done()} - known(loop)
    if not missing:
        return

    def all_tasks(loop: Any = None) -> set[Any]:
        asked = asyncio.get_running_loop() if loop is None else loop
        return known(asked) | {one for one in missing if not one.done() and one.get_loop() is asked}

    for names, name in places:
        names[name] = all_tasks
