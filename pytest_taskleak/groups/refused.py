"""What becomes of a coroutine that will not run?"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Coroutine
from typing import Any


def dispose(coro: Any) -> None:
    """Close a coroutine that will not run, so that nobody calls it never awaited."""
    if inspect.iscoroutine(coro) or isinstance(coro, Coroutine):
        with contextlib.suppress(Exception):
            coro.close()
