# expect: TL632 test_leaves what=ITIMER_REAL born=here
# why: the test's alarm takes the place of pytest-timeout's timer, which is armed again
# runner: sync
# needs: pytest-timeout, posix
# args: -p pytest_timeout --timeout=50 --timeout-method=signal
import signal


def test_leaves() -> None:
    signal.alarm(3600)  # born:here


def test_neighbour() -> None:
    assert signal.getitimer(signal.ITIMER_REAL)[0] < 51
