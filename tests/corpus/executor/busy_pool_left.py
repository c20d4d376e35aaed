# expect: TL303 test_leaves born=made
# why: the worker runs a method that never ends and holds the pool by it; one finding for both
# runner: sync
import threading
from concurrent.futures import ThreadPoolExecutor


class Service:
    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1)  # born:made
        self.begun = threading.Event()
        self.pool.submit(self.run)

    def run(self) -> None:
        self.begun.set()
        threading.Event().wait()


def test_leaves() -> None:
    Service().begun.wait()


def test_neighbour() -> None:
    pass
