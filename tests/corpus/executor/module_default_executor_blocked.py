# expect: TL304 test_leaves
# why: blocked in the default executor of the module's loop; the module fixture lets it go too late
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate() -> AsyncIterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def block(gate: threading.Event, begun: threading.Event) -> None:
    begun.set()
    gate.wait()


async def test_leaves(gate: threading.Event) -> None:
    begun = threading.Event()
    asyncio.get_running_loop().run_in_executor(None, block, gate, begun)
    begun.wait()


async def test_neighbour(gate: threading.Event) -> None:
    assert await asyncio.to_thread(gate.is_set) is False
