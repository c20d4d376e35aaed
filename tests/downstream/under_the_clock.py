"""A plugin of pytest that runs every test of a suite under the fake clock: `-p under_the_clock`."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Mark every test."""
    for item in items:
        item.add_marker(pytest.mark.fake_clock)
