# expect: TL301 test_watched what=work born=start
# why: the class is not watched, the function after it is; the class's leftover is not charged to it
# runner: sync
import threading

import pytest


def work(stop: threading.Event) -> None:
    stop.wait()


def begin() -> None:
    threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start


@pytest.mark.no_taskleak(reason="old")
class TestOld:
    def test_one(self) -> None:
        begin()

    def test_two(self) -> None:
        begin()


def test_watched() -> None:
    begin()


def test_neighbour() -> None:
    pass
