# expect: clean
# why: the thread catches its exception, hands it on by a future, or leaves by SystemExit
# runner: thread
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest


def stumble() -> None:
    raise ValueError("boom")


def test_catches() -> None:
    seen: list[str] = []

    def careful() -> None:
        try:
            stumble()
        except ValueError as error:
            seen.append(str(error))

    thread = threading.Thread(target=careful)
    thread.start()
    thread.join()
    assert seen == ["boom"]


def test_future() -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="boom"):
        pool.submit(stumble).result()


def test_exits() -> None:
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()
