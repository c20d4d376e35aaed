# expect: clean
# why: the marker allows the loop that the test leaves
# runner: sync own loop
import asyncio

import pytest

LOOPS: list[asyncio.AbstractEventLoop] = []


@pytest.mark.taskleak(allow="loop:*")
def test_leaves() -> None:
    LOOPS.append(asyncio.new_event_loop())


@pytest.mark.taskleak(allow="TL601")
def test_drops() -> None:
    asyncio.new_event_loop().run_until_complete(asyncio.sleep(0))


def test_neighbour() -> None:
    LOOPS.pop().close()
