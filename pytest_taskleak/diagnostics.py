"""What can be raised and warned, and what does each code mean?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_taskleak.model import Code, Finding, Verdict

if TYPE_CHECKING:
    from _pytest.outcomes import Failed
else:
    Failed = pytest.fail.Exception


class TaskLeak(Failed):
    """A test or fixture left something behind; raised by the plugin, shown without a traceback."""

    __module__ = "builtins"  # so that the summary says `TaskLeak`, as pytest's own `Failed` does

    def __init__(
        self, msg: str | None = None, *, pytrace: bool = False, verdict: Verdict | None = None
    ) -> None:
        super().__init__(msg=msg, pytrace=pytrace)
        self.verdict = verdict


class Timeout(Failed):
    """A phase of a test took longer than `taskleak_timeout`; its message says what everything waited for."""

    __module__ = "builtins"


class LeakError(Exception):
    """One leak of a `no_leaks` block.

    Attributes:
        finding: everything that is known about it.
    """

    __module__ = "pytest_taskleak"

    def __init__(self, message: str, finding: Finding) -> None:
        super().__init__(message)
        self.finding = finding


class LeakGroup(ExceptionGroup[LeakError]):
    """The leaks of one `no_leaks` block."""

    __module__ = "pytest_taskleak"

    def derive(self, excs: Sequence[LeakError]) -> LeakGroup:  # type: ignore[override]
        """Return a group of the same kind for a part of the leaks."""
        return LeakGroup(self.message, excs)


class TaskleakWarning(pytest.PytestWarning):
    """A leak in warn mode, or a word of the plugin about itself."""

    __module__ = "pytest_taskleak"


CODES: dict[str, Code] = {
    "TL901": Code(
        title="fault of the plugin",
        meaning="A detector raised an exception and was switched off for the rest of the session.",
        cause="A fault of pytest-taskleak, or of a third-party detector.",
        cure="Please report it, with the traceback that is shown.",
    ),
    "TL902": Code(
        title="the watch is blind",
        meaning="A planted leak was not seen at the start of the session, so that green would mean nothing.",
        cause="Another tool has replaced what the plugin patches.",
        cure="Take the kind out of taskleak_detect, or the other tool out of the run.",
    ),
    "TL903": Code(
        title="test hangs",
        meaning="The setup, the call or the teardown of a test took longer than taskleak_timeout.",
        cause="It waits for what nobody does: a lock that is held, a queue that nobody fills, a thread.",
        cure="The culprit is the line to look at; below it stands who holds what it waits for.",
    ),
}
"""What the plugin says of itself; the codes of a kind are its detector's."""
