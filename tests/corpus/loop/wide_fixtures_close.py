# expect: clean
# why: fixtures of all scopes close their loops in their teardown, and that of the test
# runner: fixture session
import asyncio
from collections.abc import Iterator

import pytest


def loop_of_its_own() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


function_loop = pytest.fixture(loop_of_its_own)
module_loop = pytest.fixture(scope="module")(loop_of_its_own)
session_loop = pytest.fixture(scope="session")(loop_of_its_own)


@pytest.fixture
def closing() -> Iterator[list[asyncio.AbstractEventLoop]]:
    loops: list[asyncio.AbstractEventLoop] = []
    yield loops
    for loop in loops:
        loop.close()


def test_first(
    function_loop: asyncio.AbstractEventLoop,
    module_loop: asyncio.AbstractEventLoop,
    session_loop: asyncio.AbstractEventLoop,
) -> None:
    for loop in (function_loop, module_loop, session_loop):
        loop.run_until_complete(asyncio.sleep(0))


def test_second(session_loop: asyncio.AbstractEventLoop) -> None:
    session_loop.run_until_complete(asyncio.sleep(0))


def test_gives_its_loop_away(closing: list[asyncio.AbstractEventLoop]) -> None:
    closing.append(asyncio.new_event_loop())
    closing[0].run_until_complete(asyncio.sleep(0))
