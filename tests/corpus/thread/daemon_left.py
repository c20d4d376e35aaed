# expect: TL301 test_leaves what=work born=start
# outcome: test_leaves failed
# why: a daemon thread that waits for good
# runner: sync
import threading


def work(stop: threading.Event) -> None:
    stop.wait()


def test_before() -> None:
    pass


def test_leaves() -> None:
    thread = threading.Thread(target=work, args=(threading.Event(),), daemon=True)
    thread.start()  # born:start


def test_neighbour() -> None:
    pass
