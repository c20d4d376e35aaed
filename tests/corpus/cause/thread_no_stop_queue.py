# expect: TL301 test_jobs what=work born=here cause=thread-no-stop finality=unknown
# waits: *Queue*
# why: a worker on a queue which only it still knows; of threads nothing is proven
# runner: sync
import queue
import threading


def work(jobs: "queue.Queue[int]") -> None:
    while True:
        jobs.get()
        jobs.task_done()


def test_jobs() -> None:
    jobs: queue.Queue[int] = queue.Queue()
    threading.Thread(target=work, args=(jobs,), name="worker", daemon=True).start()  # born:here
    jobs.put(1)
    jobs.join()


def test_neighbour() -> None:
    pass
