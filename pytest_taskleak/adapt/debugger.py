"""Is somebody debugging?  Then time passes while a test stands still, and that is no hang."""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import Any

from pytest_taskleak.adapt.code import DEBUGGERS

MODULES = ("bdb", "pdb", "pydevd", "_pydevd_bundle", "_pydevd_frame_eval", "debugpy", "ipdb", "pudb")
"""Modules of which a tracing function tells a debugger; coverage traces too, and is none."""
PROMPT = frozenset({"bdb.py", "pdb.py"})
"""Files of the standard library that are on the stack while somebody sits at the prompt."""
_get_tool: Any = getattr(getattr(sys, "monitoring", None), "get_tool", None)
_DEBUGGER: Any = getattr(getattr(sys, "monitoring", None), "DEBUGGER_ID", None)


def is_active(top: FrameType | None) -> bool:
    """Tell whether a debugger watches a thread, or has stopped it.

    Asked from any thread: what that thread's own `sys.gettrace()` says is of no use here, but each of
    its traced frames names its tracer.

    Parameters:
        top: the innermost frame of the thread.
    """
    if _get_tool is not None and _get_tool(_DEBUGGER) is not None:  # from 3.12 on; for all threads
        return True
    while top is not None:
        parts = top.f_code.co_filename.split(os.sep)
        if parts[-1] in PROMPT or not DEBUGGERS.isdisjoint(parts) or is_debuggers(top.f_trace):
            return True
        top = top.f_back
    return False


def is_debuggers(tracer: Any) -> bool:
    """Tell whether a tracing function belongs to a debugger, by the module of its code."""
    function = getattr(tracer, "__func__", tracer)
    module = getattr(function, "__module__", None) or type(tracer).__module__
    return tracer is not None and str(module).partition(".")[0] in MODULES
