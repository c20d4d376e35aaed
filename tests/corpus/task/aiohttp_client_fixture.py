# expect: clean
# why: the usual `client` fixture returns what aiohttp_client made; aiohttp_client closes it after it
# runner: pytest-aiohttp
# needs: pytest-aiohttp, aiohttp
# args: -o asyncio_mode=auto
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

Client = TestClient[Any, Any]


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


@pytest.fixture
async def client(aiohttp_client: Callable[[web.Application], Awaitable[Client]]) -> Client:
    app = web.Application()
    app.router.add_get("/", hello)
    return await aiohttp_client(app)


async def test_get(client: Client) -> None:
    assert (await client.get("/")).status == 200


async def test_get_again(client: Client) -> None:
    assert (await client.get("/")).status == 200
