# expect: clean
# why: the stop event is set by the last statement, nobody joins
# runner: sync
import threading


def work(stop: threading.Event) -> None:
    stop.wait()


def test_stops() -> None:
    stop = threading.Event()
    for _ in range(3):
        threading.Thread(target=work, args=(stop,)).start()
    stop.set()
