# expect: TL301 fixture:service what=work born=start on=test_uses
# why: started in the setup of a function fixture without a teardown
# runner: sync
import threading

import pytest


def work(stop: threading.Event) -> None:
    stop.wait()


@pytest.fixture
def service() -> threading.Event:
    stop = threading.Event()
    threading.Thread(target=work, args=(stop,), daemon=True).start()  # born:start
    return stop


def test_uses(service: threading.Event) -> None:
    assert not service.is_set()


def test_neighbour() -> None:
    pass
