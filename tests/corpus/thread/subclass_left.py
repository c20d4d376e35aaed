# expect: TL301 test_leaves what=*Pump* born=start
# why: a Thread subclass with its own run, started by the code under test
# runner: sync
import threading


class Pump(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="pump", daemon=True)
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.wait(60):
            pass


def open_pump() -> None:
    Pump().start()  # born:start


def test_leaves() -> None:
    open_pump()


def test_neighbour() -> None:
    pass
