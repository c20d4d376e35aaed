# expect: TL511 test_leaves what=ResponseHandler
# maybe: TL201 test_leaves what=_weakref_handle
# why: a ClientSession that is kept and never closed keeps its connection alive
# runner: pytest-asyncio module
# needs: pytest-asyncio, aiohttp
# args: -W ignore::ResourceWarning
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_get("/", hello)
    async with TestServer(app) as started:
        yield started


kept: list[aiohttp.ClientSession] = []


async def test_leaves(server: TestServer) -> None:
    session = aiohttp.ClientSession()
    kept.append(session)
    async with session.get(server.make_url("/")) as answer:
        assert await answer.text() == "hello"


async def test_neighbour(server: TestServer) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(server.make_url("/")) as answer:
            assert await answer.text() == "hello"
