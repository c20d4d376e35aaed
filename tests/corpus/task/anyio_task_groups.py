# expect: clean
# why: task groups, cancel scopes and move_on_after end what they began
# runner: anyio
# needs: anyio
import anyio
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_group() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 3600)
        await anyio.sleep(0)
        group.cancel_scope.cancel()


async def test_move_on() -> None:
    with anyio.move_on_after(0.001) as scope:
        await anyio.sleep(3600)
    assert scope.cancelled_caught


async def test_streams() -> None:
    send, receive = anyio.create_memory_object_stream[int](1)
    async with send, receive:
        await send.send(1)
        assert await receive.receive() == 1
