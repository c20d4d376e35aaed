# expect: TL301 test_leaves what=child born=start
# why: started by a thread that has ended: the test owns it through its parent
# runner: sync
import threading


def child(stop: threading.Event) -> None:
    stop.wait()


def parent() -> None:
    threading.Thread(target=child, args=(threading.Event(),), daemon=True).start()  # born:start


def test_leaves() -> None:
    thread = threading.Thread(target=parent)
    thread.start()
    thread.join()


def test_neighbour() -> None:
    pass
