# expect: TL301 test_computes what=compute born=here cause=thread-busy finality=spins
# why: it computes and never waits (for 20 s at most)
# runner: sync
import threading
import time


def compute(begun: threading.Event, until: float) -> None:
    begun.set()
    total = 0
    while time.monotonic() < until:
        for number in range(1000):
            total += number * number


def test_computes() -> None:
    begun = threading.Event()
    until = time.monotonic() + 20
    threading.Thread(target=compute, args=(begun, until), name="computer", daemon=True).start()  # born:here
    begun.wait()


def test_neighbour() -> None:
    pass
