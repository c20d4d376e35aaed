# expect: TL301 test_counts what=Counter.run born=here cause=thread-no-stop
# waits: *Event*
# why: it wakes ten times a second to see whether it shall stop
# runner: sync
import threading


class Counter(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="counter", daemon=True)
        self.stopping = threading.Event()
        self.counted = 0

    def run(self) -> None:
        while not self.stopping.wait(0.1):
            self.counted += 1


def test_counts() -> None:
    Counter().start()  # born:here


def test_neighbour() -> None:
    pass
