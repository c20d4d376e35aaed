# expect: clean
# why: the thread ends by itself 20 ms after the test, within the grace
# runner: sync
import threading
import time


def short() -> None:
    time.sleep(0.02)


def test_short() -> None:
    threading.Thread(target=short).start()


def test_neighbour() -> None:
    pass
