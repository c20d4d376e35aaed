# expect: clean
# why: the test has set a hook of its own, which sees the exception
# runner: thread
import threading

import pytest


def stumble() -> None:
    raise ValueError("boom")


def test_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))
    thread = threading.Thread(target=stumble)
    thread.start()
    thread.join()
    assert seen == [ValueError]


def test_neighbour() -> None:
    thread = threading.Thread(target=str)
    thread.start()
    thread.join()
