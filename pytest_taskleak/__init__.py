"""A pytest plugin that makes concurrency leaks impossible to miss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_taskleak.blocks import no_leaks
    from pytest_taskleak.clock.face import FakeClock
    from pytest_taskleak.diagnostics import LeakError, LeakGroup, TaskLeak, TaskleakWarning
    from pytest_taskleak.fixtures import Taskleak, explain_task
    from pytest_taskleak.loops.errors import (
        DeadlockError,
        ExternalWorkTimeout,
        FakeClockError,
        LivelockError,
        TimeWentReal,
        UnsupportedLoop,
    )
    from pytest_taskleak.model import Birth, Finding, Frame, Owner, Verdict

    __version__: str

_HOMES = {
    "no_leaks": "blocks",
    "FakeClock": "clock.face",
    "DeadlockError": "loops.errors",
    "ExternalWorkTimeout": "loops.errors",
    "FakeClockError": "loops.errors",
    "LivelockError": "loops.errors",
    "TimeWentReal": "loops.errors",
    "UnsupportedLoop": "loops.errors",
    "LeakError": "diagnostics",
    "LeakGroup": "diagnostics",
    "TaskLeak": "diagnostics",
    "TaskleakWarning": "diagnostics",
    "Taskleak": "fixtures",
    "explain_task": "fixtures",
    "Birth": "model",
    "Finding": "model",
    "Frame": "model",
    "Owner": "model",
    "Verdict": "model",
}

__all__ = [
    "Birth",
    "DeadlockError",
    "ExternalWorkTimeout",
    "FakeClock",
    "FakeClockError",
    "Finding",
    "Frame",
    "LeakError",
    "LeakGroup",
    "LivelockError",
    "Owner",
    "TaskLeak",
    "Taskleak",
    "TaskleakWarning",
    "TimeWentReal",
    "UnsupportedLoop",
    "Verdict",
    "explain_task",
    "no_leaks",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("pytest-taskleak")
    if name == "testing":
        from importlib import import_module

        return import_module(f"{__name__}.testing")
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
