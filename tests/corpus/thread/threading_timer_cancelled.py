# expect: clean
# why: a cancelled threading.Timer is on its way out
# runner: sync
import threading


def remind() -> None: ...


def test_cancels() -> None:
    timer = threading.Timer(3600, remind)
    timer.start()
    timer.cancel()


def test_fires() -> None:
    threading.Timer(0.001, remind).start()
