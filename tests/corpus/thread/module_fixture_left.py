# expect: TL301 fixture:service what=work born=start on=test_last
# why: a module fixture; the tests between stay green
# runner: sync
import threading

import pytest


def work(stop: threading.Event) -> None:
    stop.wait()


@pytest.fixture(scope="module")
def service() -> str:
    threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start
    return "service"


def test_first(service: str) -> None:
    assert service


def test_second() -> None:
    pass


def test_last(service: str) -> None:
    assert service
