"""Where does every thread stand just now, without a danger to the process?

On CPython 3.11 `sys._current_frames()` may collect garbage while it holds the lock on the list of threads,
for which the finalizer of a `threading.local` waits: nothing goes on then.  From 3.12 on garbage is collected
between instructions only.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

Result = TypeVar("Result")
SAFE = sys.version_info >= (3, 12)


def current_frames() -> dict[int, FrameType]:
    """Return ident -> innermost frame of each thread; to be cleared, as it holds the frame that asks."""
    return uncollected(sys._current_frames)


def uncollected(ask: Callable[[], Result]) -> Result:
    """Return what a function returns that asks for all frames, and collect nothing meanwhile."""
    if SAFE or not gc.isenabled():
        return ask()
    gc.disable()
    try:
        return ask()
    finally:
        gc.enable()
