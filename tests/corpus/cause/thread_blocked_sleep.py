# expect: TL301 test_waits what=pause born=here cause=thread-blocked finality=outside
# waits: *sleep*
# why: nothing can wake a thread that sleeps
# runner: sync
import threading
import time


def pause() -> None:
    time.sleep(60)


def test_waits() -> None:
    threading.Thread(target=pause, name="sleeper", daemon=True).start()  # born:here


def test_neighbour() -> None:
    pass
