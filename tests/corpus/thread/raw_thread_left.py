# expect: TL302 test_leaves
# why: a thread that the threading module knows nothing of
# runner: sync
import _thread


def work(lock: _thread.LockType, begun: _thread.LockType) -> None:
    begun.release()
    lock.acquire()


def test_leaves() -> None:
    lock, begun = _thread.allocate_lock(), _thread.allocate_lock()
    lock.acquire()
    begun.acquire()
    _thread.start_new_thread(work, (lock, begun))
    begun.acquire()


def test_neighbour() -> None:
    pass
