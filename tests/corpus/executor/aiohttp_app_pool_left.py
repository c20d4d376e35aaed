# expect: TL303 fixture:client born=made on=test_gets
# why: the application's startup makes a pool, its cleanup forgets it
# runner: pytest-aiohttp
# needs: pytest-aiohttp, aiohttp
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

Client = TestClient[Any, Any]
POOL = web.AppKey("pool", ThreadPoolExecutor)
APPS: list[web.Application] = []


async def start(app: web.Application) -> None:
    app[POOL] = ThreadPoolExecutor(1)  # born:made


async def size(request: web.Request) -> web.Response:
    answer = await asyncio.get_running_loop().run_in_executor(request.app[POOL], len, "abc")
    return web.Response(text=str(answer))


@pytest.fixture
async def client(aiohttp_client: Callable[[web.Application], Awaitable[Client]]) -> Client:
    app = web.Application()
    app.on_startup.append(start)
    app.router.add_get("/", size)
    APPS.append(app)
    return await aiohttp_client(app)


async def test_gets(client: Client) -> None:
    assert await (await client.get("/")).text() == "3"


async def test_neighbour() -> None:
    await asyncio.sleep(0)
