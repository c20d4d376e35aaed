# expect: clean
# why: the session is closed in the teardown of its fixture, its server in that of another
# runner: pytest-aiohttp
# needs: pytest-aiohttp, aiohttp
# args: -o asyncio_mode=auto --taskleak-severity=socket=fail
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

Serve = Callable[[web.Application], Awaitable[TestServer]]


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


def application() -> web.Application:
    app = web.Application()
    app.router.add_get("/", hello)
    return app


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    made = aiohttp.ClientSession()
    yield made
    await made.close()


async def test_tidy(aiohttp_server: Serve, session: aiohttp.ClientSession) -> None:
    server = await aiohttp_server(application())
    for _ in range(3):
        async with session.get(server.make_url("/")) as answer:
            assert await answer.text() == "hello"
