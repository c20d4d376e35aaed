"""Does the storm find each of the bugs, and nothing in the service without one?"""

import re

import pytest
from bugs import BUGS
from clients import few
from intake import Service


def test_the_service_is_right(shutdown_storm):
    report = shutdown_storm(Service, few, scenarios=["default", "pair"])
    assert report.complete
    assert report.deterministic


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found(bug, shutdown_storm):
    with pytest.raises(pytest.fail.Exception) as failure:
        shutdown_storm(lambda env: Service(env, bug), few, scenarios=BUGS[bug].axis)
    told = set(re.findall(r"^FAIL  (\w) ", str(failure.value), re.MULTILINE))
    assert set(BUGS[bug].told) <= told
