# expect: TL301 test_leaves what=work born=start
# why: a thread that would keep the process from ending
# runner: sync
import threading


def work(stop: threading.Event) -> None:
    stop.wait()


def test_leaves() -> None:
    thread = threading.Thread(target=work, args=(threading.Event(),))
    thread.start()  # born:start


def test_neighbour() -> None:
    pass
