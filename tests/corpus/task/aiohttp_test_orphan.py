# expect: TL101 test_leaves what=watch born=here
# why: a test with aiohttp_client leaves a task of its own beside the client's and server's
# runner: pytest-aiohttp
# needs: pytest-aiohttp, aiohttp
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

Client = Callable[[web.Application], Awaitable[TestClient[Any, Any]]]


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


def application() -> web.Application:
    app = web.Application()
    app.router.add_get("/", hello)
    return app


async def watch() -> None:
    await asyncio.sleep(3600)


async def test_leaves(aiohttp_client: Client) -> None:
    client = await aiohttp_client(application())
    asyncio.create_task(watch())  # born:here
    assert (await client.get("/")).status == 200


async def test_neighbour(aiohttp_client: Client) -> None:
    client = await aiohttp_client(application())
    assert (await client.get("/")).status == 200
