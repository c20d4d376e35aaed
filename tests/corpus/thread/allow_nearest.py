# expect: clean
# why: rules by the thread's name and by its target
# runner: sync
import threading

import pytest


def work(stop: threading.Event) -> None:
    stop.wait()


@pytest.mark.taskleak(allow="thread:name=pump-*")
def test_by_name() -> None:
    threading.Thread(target=work, args=(threading.Event(),), name="pump-1", daemon=True).start()


@pytest.mark.taskleak(allow="thread:target=*work")
def test_by_target() -> None:
    threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()


@pytest.mark.taskleak(allow="TL301")
def test_by_code() -> None:
    threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()
