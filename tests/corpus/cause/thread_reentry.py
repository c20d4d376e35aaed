# expect: TL301 test_saves what=Store.save born=here cause=thread-reentry finality=deadlock
# waits: *Lock*
# edge: thread 'saver' -> threading.Lock*lock* [waits for]
# edge: threading.Lock*lock* -> thread 'saver' [held by]
# why: a method with the lock calls another one that takes it
# runner: sync
import threading


class Store:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.begun = threading.Event()

    def write(self) -> None:
        with self.lock:
            pass

    def save(self) -> None:
        with self.lock:
            self.begun.set()
            self.write()


def test_saves() -> None:
    store = Store()
    threading.Thread(target=store.save, name="saver", daemon=True).start()  # born:here
    store.begun.wait()


def test_neighbour() -> None:
    pass
