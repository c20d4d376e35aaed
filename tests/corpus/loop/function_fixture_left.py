# expect: TL601 fixture:loop born=here on=test_uses
# why: the fixture makes the loop and forgets to close it
# runner: fixture function
import asyncio

import pytest

LOOPS: list[asyncio.AbstractEventLoop] = []


@pytest.fixture
def loop() -> asyncio.AbstractEventLoop:
    made = asyncio.new_event_loop()  # born:here
    LOOPS.append(made)
    return made


def test_uses(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_until_complete(asyncio.sleep(0))


def test_neighbour() -> None:
    pass
