# expect: TL632 test_leaves what=ITIMER_PROF born=here
# expect: TL631 test_leaves what=signal.SIG_IGN
# why: a profiling timer and the handler of its signal are two things
# runner: sync
# needs: posix
import signal


def test_leaves() -> None:
    signal.signal(signal.SIGPROF, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_PROF, 3600, 3600)  # born:here


def test_neighbour() -> None:
    pass
