# expect: clean
# why: pytest-timeout arms its timer and installs its handler around each test, and puts both back
# runner: sync
# needs: pytest-timeout, posix
# args: -p pytest_timeout --timeout=50 --timeout-method=signal
import signal

import pytest


def test_watched() -> None:
    assert signal.getitimer(signal.ITIMER_REAL)[0] > 0


@pytest.mark.timeout(40, func_only=True)
def test_call_only() -> None:
    assert signal.getitimer(signal.ITIMER_REAL)[0] > 0


@pytest.mark.timeout(0)
def test_unwatched() -> None:
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
