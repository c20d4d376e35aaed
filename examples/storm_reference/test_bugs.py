"""What does the storm say of each bug?  All of these tests fail."""

import pytest
from bugs import BUGS
from clients import few
from intake import Service


@pytest.mark.parametrize("bug", BUGS)
def test_bug(bug, shutdown_storm):
    shutdown_storm(lambda env: Service(env, bug), few, scenarios=BUGS[bug].axis, name="Service")
