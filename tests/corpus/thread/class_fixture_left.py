# expect: TL301 fixture:service what=work born=start on=TestService::test_last
# why: a class-scoped fixture, told with the last test of the class
# runner: sync
import threading

import pytest


def work(stop: threading.Event) -> None:
    stop.wait()


@pytest.fixture(scope="class")
def service() -> str:
    threading.Thread(target=work, args=(threading.Event(),), daemon=True).start()  # born:start
    return "service"


class TestService:
    def test_first(self, service: str) -> None:
        assert service

    def test_last(self, service: str) -> None:
        assert service


def test_neighbour() -> None:
    pass
