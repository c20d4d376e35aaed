"""A pytest plugin that makes concurrency leaks impossible to miss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_taskleak.blocks import no_leaks
    from pytest_taskleak.clock.face import FakeClock
    from pytest_taskleak.diagnostics import LeakError, LeakGroup, TaskLeak, TaskleakWarning
    from pytest_taskleak.fixtures import Taskleak, explain_task
    from pytest_taskleak.groups.children import Fate, Scheduled
    from pytest_taskleak.groups.current import current_group, fire_and_forget
    from pytest_taskleak.groups.draining import DrainStats
    from pytest_taskleak.groups.failures import Health, TaskFailure
    from pytest_taskleak.groups.group import TrackedTaskGroup
    from pytest_taskleak.groups.making import TaskLimitError
    from pytest_taskleak.groups.records import TrackedTask
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
    "DrainStats": "groups.draining",
    "Fate": "groups.children",
    "Health": "groups.failures",
    "Scheduled": "groups.children",
    "TaskFailure": "groups.failures",
    "TaskLimitError": "groups.making",
    "TrackedTask": "groups.records",
    "TrackedTaskGroup": "groups.group",
    "current_group": "groups.current",
    "fire_and_forget": "groups.current",
    "Birth": "model",
    "Finding": "model",
    "Frame": "model",
    "Owner": "model",
    "Verdict": "model",
}

__all__ = [
    "Birth",
    "DeadlockError",
    "DrainStats",
    "ExternalWorkTimeout",
    "FakeClock",
    "FakeClockError",
    "Fate",
    "Finding",
    "Frame",
    "Health",
    "LeakError",
    "LeakGroup",
    "LivelockError",
    "Owner",
    "Scheduled",
    "TaskFailure",
    "TaskLeak",
    "TaskLimitError",
    "Taskleak",
    "TaskleakWarning",
    "TimeWentReal",
    "TrackedTask",
    "TrackedTaskGroup",
    "UnsupportedLoop",
    "Verdict",
    "current_group",
    "explain_task",
    "fire_and_forget",
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
