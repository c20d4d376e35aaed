# expect: clean
# why: the pool itself is made by the first test, inside the session fixture's object, which ends it: adopted
# runner: sync
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest


class Service:
    pool: ThreadPoolExecutor | None = None

    def call(self, text: str) -> int:
        if self.pool is None:
            self.pool = ThreadPoolExecutor(1)
        return self.pool.submit(len, text).result()

    def close(self) -> None:
        if self.pool is not None:
            self.pool.shutdown()


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


def test_first(service: Service) -> None:
    assert service.call("abc") == 3


def test_second(service: Service) -> None:
    assert service.call("ab") == 2
