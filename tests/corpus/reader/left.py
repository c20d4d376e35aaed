# expect: TL541 test_leaves what=on_data born=here
# why: the socket is closed, the loop still has its reader
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio
import socket

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


def on_data() -> None:
    pass


async def test_leaves() -> None:
    ours, other = socket.socketpair()
    with ours, other:
        asyncio.get_running_loop().add_reader(ours, on_data)  # born:here


async def test_neighbour() -> None:
    await asyncio.sleep(0)
