# expect: TL701 test_loses what=boom born=here
# why: a handler of the test's own server starts a task that nobody asks
# runner: pytest-aiohttp
# needs: pytest-aiohttp, aiohttp
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

Client = Callable[[web.Application], Awaitable[TestClient[Any, Any]]]


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def start(request: web.Request) -> web.Response:
    asyncio.create_task(boom())  # born:here
    await turns()
    return web.Response(text="started")


async def test_loses(aiohttp_client: Client) -> None:
    app = web.Application()
    app.router.add_get("/", start)
    client = await aiohttp_client(app)
    answer = await client.get("/")
    assert await answer.text() == "started"


async def test_neighbour() -> None:
    await turns()
