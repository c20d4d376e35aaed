# expect: clean
# why: aiohttp_client in ordinary use: its server, connections and keep-alive timers end with the fixture
# runner: pytest-aiohttp
# needs: pytest-aiohttp, aiohttp
# args: -o asyncio_mode=auto
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

Client = Callable[[web.Application], Awaitable[TestClient[Any, Any]]]


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


async def echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(heartbeat=10)
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket


async def background(app: web.Application) -> AsyncIterator[None]:
    task = asyncio.create_task(asyncio.sleep(3600))
    yield
    task.cancel()


def application() -> web.Application:
    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/ws", echo)
    app.cleanup_ctx.append(background)
    return app


async def test_get(aiohttp_client: Client) -> None:
    client = await aiohttp_client(application())
    answers = await asyncio.gather(*(client.get("/") for _ in range(5)))
    assert [await answer.text() for answer in answers] == ["hello"] * 5


async def test_websocket(aiohttp_client: Client) -> None:
    client = await aiohttp_client(application())
    async with client.ws_connect("/ws") as socket:
        await socket.send_str("x")
        assert (await socket.receive()).data == "x"


async def test_websocket_left_open(aiohttp_client: Client) -> None:
    client = await aiohttp_client(application())
    socket = await client.ws_connect("/ws")
    await socket.send_str("x")
    assert (await socket.receive()).data == "x"
