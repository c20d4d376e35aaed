"""Lets `asyncio.TaskGroup` look like one of a Python to come, whose method does what nobody here knows."""

from __future__ import annotations

import asyncio
from typing import Any

_original: Any = vars(asyncio.TaskGroup)["_on_task_done"]


def _on_task_done(self: Any, task: Any) -> None:
    task.get_name()  # a name that is not among those that are known
    _original(self, task)


_group: Any = asyncio.TaskGroup
_group._on_task_done = _on_task_done
