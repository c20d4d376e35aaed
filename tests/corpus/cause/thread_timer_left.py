# expect: TL301 test_refreshes what=Cache.refresh born=here cause=thread-timer finality=outside
# why: a threading.Timer that nobody cancels is a thread until its time has come
# runner: sync
import threading


class Cache:
    def __init__(self) -> None:
        self.timer = threading.Timer(60, self.refresh)
        self.timer.daemon = True
        self.timer.start()  # born:here

    def refresh(self) -> None:
        pass


def test_refreshes() -> None:
    Cache()


def test_neighbour() -> None:
    pass
