# expect: clean
# why: locks in one order, a reentrant lock taken twice, a worker that gets its sentinel, all joined
# runner: sync
import queue
import threading


def transfer(first: threading.Lock, second: threading.Lock) -> None:
    with first, second:
        pass


def test_one_order() -> None:
    one, two = threading.Lock(), threading.Lock()
    threads = [threading.Thread(target=transfer, args=(one, two)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_reentrant() -> None:
    lock = threading.RLock()

    def twice() -> None:
        with lock, lock:
            pass

    thread = threading.Thread(target=twice)
    thread.start()
    thread.join()


def test_sentinel() -> None:
    jobs: queue.Queue[int | None] = queue.Queue()

    def work() -> None:
        while jobs.get() is not None:
            pass

    thread = threading.Thread(target=work)
    thread.start()
    jobs.put(1)
    jobs.put(None)
    thread.join()
