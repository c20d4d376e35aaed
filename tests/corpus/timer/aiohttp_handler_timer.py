# expect: TL201 fixture:client what=purge on=test_gets
# why: the handler of the fixture's server sets a timer that survives the server
# runner: pytest-aiohttp
# needs: pytest-aiohttp, aiohttp
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

Client = TestClient[Any, Any]


def purge() -> None: ...


async def hello(request: web.Request) -> web.Response:
    asyncio.get_running_loop().call_later(3600, purge)
    return web.Response(text="hello")


@pytest.fixture
async def client(aiohttp_client: Callable[[web.Application], Awaitable[Client]]) -> Client:
    app = web.Application()
    app.router.add_get("/", hello)
    return await aiohttp_client(app)


async def test_gets(client: Client) -> None:
    assert (await client.get("/")).status == 200


async def test_neighbour() -> None:
    await asyncio.sleep(0)
