"""Which events of a group are logged, and with which attributes?

Each record has `event`, the event's name, and what belongs to it: `task` and `born`, or `tasks`, `stats`.
"""

from __future__ import annotations

import logging
from typing import Any

LOGGER = logging.getLogger("pytest_taskleak.groups")
LEVELS = {
    "task_failed": logging.DEBUG,  # who is told of it, logs it
    "task_failed_alone": logging.ERROR,
    "on_error_failed": logging.ERROR,
    "task_refused": logging.WARNING,
    "drain_started": logging.INFO,
    "drain_cancelled": logging.WARNING,
    "drain_cancelled_again": logging.WARNING,
    "drain_stuck": logging.ERROR,
    "drain_ended": logging.INFO,
}
"""Event -> the level at which it is logged."""


def tell(event: str, message: str, *, failure: Any = None, **attributes: Any) -> None:
    """Log an event; what a handler or filter of the user raises hurts nobody.

    Parameters:
        event: its name.
        message: a line for people.
        failure: a `TaskFailure`; its exception goes with the record.
        attributes: further attributes of the record.
    """
    level = LEVELS[event]
    try:
        if not LOGGER.isEnabledFor(level):
            return
        error = None
        if failure is not None:
            attributes.update(task=failure.name, born=failure.born)
            raised = failure.exception
            error = (type(raised), raised, raised.__traceback__)
        LOGGER.log(level, message, exc_info=error, extra={"event": event, **attributes})
    except Exception:  # noqa: BLE001 -- a logger that fails must not end a task group
        return
