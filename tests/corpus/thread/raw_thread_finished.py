# expect: clean
# why: raw threads that have ended, or end within a moment
# runner: sync
import _thread
import threading


def test_finished() -> None:
    done = threading.Event()
    _thread.start_new_thread(done.set, ())
    done.wait()
