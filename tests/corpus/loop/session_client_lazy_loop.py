# expect: clean
# why: the session's client makes its loop at the first call, inside a test, and closes it at the end
# runner: fixture session
import asyncio
from collections.abc import Iterator

import pytest


class Client:
    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None

    def call(self) -> None:
        if self.loop is None:
            self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(asyncio.sleep(0))

    def close(self) -> None:
        if self.loop is not None:
            self.loop.close()


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    made = Client()
    yield made
    made.close()


def test_first(client: Client) -> None:
    client.call()


def test_second(client: Client) -> None:
    client.call()
