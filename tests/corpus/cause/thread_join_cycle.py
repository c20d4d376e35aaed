# expect: TL301 test_joins what=join born=a cause=thread-join-cycle finality=deadlock|stuck
# expect: TL301 test_joins what=join born=b cause=thread-join-cycle finality=deadlock|stuck
# edge: thread 'a' -> thread 'b' [joins]
# edge: thread 'b' -> thread 'a' [joins]
# cycle: thread 'a', thread 'b'
# why: each waits for the other to end
# runner: sync
import threading

THREADS: dict[str, threading.Thread] = {}
BOTH = threading.Barrier(3)


def join(name: str) -> None:
    BOTH.wait()
    THREADS[name].join()


def test_joins() -> None:
    THREADS["a"] = threading.Thread(target=join, args=("b",), name="a", daemon=True)
    THREADS["b"] = threading.Thread(target=join, args=("a",), name="b", daemon=True)
    THREADS["a"].start()  # born:a
    THREADS["b"].start()  # born:b
    BOTH.wait()


def test_neighbour() -> None:
    pass
