"""Is this process pytest-xdist's controller, and how does a worker send one more report?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


def is_controller(config: Any) -> bool:
    """Tell whether the tests run in other processes."""
    return not hasattr(config, "workerinput") and config.getoption("dist", "no") != "no"


@contextlib.contextmanager
def as_item(config: Any, nodeid: str) -> Iterator[None]:
    """Let a worker send a report that belongs to another item than the running one.

    A worker stamps each report with the index of the running item and checks it.
    """
    plugins = config.pluginmanager.get_plugins()
    worker = next((p for p in plugins if type(p).__name__ == "WorkerInteractor"), None)
    items = getattr(getattr(worker, "session", None), "items", ())
    index = next((i for i, item in enumerate(items) if item.nodeid == nodeid), None)
    if worker is None or index is None or not hasattr(worker, "item_index"):
        yield
        return
    before = worker.item_index
    worker.item_index = index
    try:
        yield
    finally:
        worker.item_index = before
