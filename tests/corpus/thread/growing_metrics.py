"""A helper module that starts its worker lazily and, by mistake, anew for each caller."""

import threading

_worker: threading.Thread | None = None


def flush(wake: threading.Event) -> None:
    wake.wait()


def record(name: str) -> None:
    global _worker
    _worker = threading.Thread(target=flush, args=(threading.Event(),), name=f"metrics-{name}", daemon=True)
    _worker.start()
