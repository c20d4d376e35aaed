# expect: TL601 fixture:client born=here on=test_second
# why: the session's client keeps the loop that the first call made, and has no close()
# runner: fixture session
import asyncio

import pytest


class Client:
    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None

    def call(self) -> None:
        if self.loop is None:
            self.loop = asyncio.new_event_loop()  # born:here
        self.loop.run_until_complete(asyncio.sleep(0))


@pytest.fixture(scope="session")
def client() -> Client:
    return Client()


def test_first(client: Client) -> None:
    client.call()


def test_second(client: Client) -> None:
    client.call()
