# expect: TL301 fixture:service what=work born=start on=test_uses
# why: the teardown of the fixture starts it
# runner: sync
import threading
from collections.abc import Iterator

import pytest


def work(stop: threading.Event) -> None:
    stop.wait()


@pytest.fixture
def service() -> Iterator[str]:
    yield "service"
    threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start


def test_uses(service: str) -> None:
    assert service


def test_neighbour() -> None:
    pass
