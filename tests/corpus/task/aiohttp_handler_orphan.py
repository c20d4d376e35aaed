# expect: TL101 fixture:client what=mail born=here on=test_posts
# why: the request handler of the fixture's server starts a task that nobody stops
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


async def mail() -> None:
    await asyncio.sleep(3600)


async def post(request: web.Request) -> web.Response:
    asyncio.create_task(mail())  # born:here
    return web.Response(text="queued")


@pytest.fixture
async def client(aiohttp_client: Callable[[web.Application], Awaitable[Client]]) -> Client:
    app = web.Application()
    app.router.add_post("/", post)
    return await aiohttp_client(app)


async def test_posts(client: Client) -> None:
    assert (await client.post("/")).status == 200


async def test_neighbour() -> None:
    await asyncio.sleep(0)
