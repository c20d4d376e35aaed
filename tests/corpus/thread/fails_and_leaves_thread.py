# expect: TL301 test_fails what=work born=start severity=note
# outcome: test_fails failed
# why: the own failure stays, the thread is a note under it
# runner: sync
import threading


def work(stop: threading.Event) -> None:
    stop.wait()


def test_fails() -> None:
    threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start
    raise AssertionError("the own failure")


def test_neighbour() -> None:
    pass
