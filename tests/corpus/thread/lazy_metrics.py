"""A helper module that starts one daemon worker at first use and keeps it for good."""

import queue
import threading

_jobs: queue.Queue[str] = queue.Queue()
_worker: threading.Thread | None = None


def _flush() -> None:
    while True:
        _jobs.get()


def record(name: str) -> None:
    global _worker
    if _worker is None:
        _worker = threading.Thread(target=_flush, name="metrics", daemon=True)
        _worker.start()
    _jobs.put(name)
