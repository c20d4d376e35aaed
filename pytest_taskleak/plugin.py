"""Which pytest hooks lead to what?  A table of contents.

While nobody watches, this module and the table of options are all that is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_taskleak import hooks, options
from pytest_taskleak.starting import Starter

if TYPE_CHECKING:
    from pytest_taskleak.clock.face import FakeClock
    from pytest_taskleak.fixtures import Taskleak
    from pytest_taskleak.groups.group import TrackedTaskGroup
    from pytest_taskleak.storming import ShutdownStorm


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    options.register(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Offer the hooks of `pytest_taskleak.hooks`."""
    pluginmanager.add_hookspecs(hooks)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and begin if anything was said; last, so that our hooks are called first."""
    for marker in options.MARKERS:
        config.addinivalue_line("markers", marker)
    starter = Starter(config)
    config.pluginmanager.register(starter, "taskleak-starter")
    starter.begin()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make parts of a test with a shutdown storm, for the workers of xdist."""
    if "shutdown_storm" in metafunc.fixturenames:
        from pytest_taskleak.storming_parts import spread

        spread(metafunc)


@pytest.fixture
def taskleak(request: pytest.FixtureRequest) -> Taskleak:
    """The watch over this test: check(), allow(), pending(), owned_by(), explain()."""
    from pytest_taskleak.fixtures import over

    return over(request)


@pytest.fixture
def fake_clock(request: pytest.FixtureRequest) -> FakeClock:
    """Time that moves by itself: hours in milliseconds, for this test and the fixtures that ask for it."""
    from pytest_taskleak.clocking import clock_for

    return clock_for(request)


@pytest.fixture
def tracked_task_group(request: pytest.FixtureRequest) -> TrackedTaskGroup:
    """A task group that keeps the books: whatever it still runs at the end of the test is the test's leak."""
    from pytest_taskleak.grouping import group_for

    return group_for(request)


@pytest.fixture
def shutdown_storm(request: pytest.FixtureRequest) -> ShutdownStorm:
    """Stops a service at every possible moment of a load, and looks at what is left or lost."""
    from pytest_taskleak.storming import storm_for

    return storm_for(request)
