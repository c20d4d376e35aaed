# expect: TL501 test_leaves what=Service born=here
# why: the loop is the module's, the server is the test's
# runner: pytest-asyncio module
# needs: pytest-asyncio
import asyncio

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Service(asyncio.Protocol):
    pass


async def test_before() -> None:
    await asyncio.sleep(0)


async def test_leaves() -> None:
    await asyncio.get_running_loop().create_server(Service, "127.0.0.1", 0)  # born:here


async def test_neighbour() -> None:
    await asyncio.sleep(0)
