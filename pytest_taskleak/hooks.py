"""Which hooks does pytest-taskleak offer to conftest files and other plugins?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_taskleak.detectors.base import Detector
    from pytest_taskleak.model import Finding, Verdict


def pytest_taskleak_detectors(config: pytest.Config) -> Iterable[Detector] | None:
    """Return detectors of further kinds; they are watched like the built-in ones."""


@pytest.hookspec(firstresult=True)
def pytest_taskleak_allow(leak: Finding, item: pytest.Item | None) -> Any:
    """Allow a leak: return a reason (a string) or True; None leaves the decision to others."""


def pytest_taskleak_leaks(item: pytest.Item | None, verdict: Verdict) -> None:
    """Look at a verdict that has something to say, after it was reached."""
