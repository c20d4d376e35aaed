# expect: TL501 test_leaves
# why: a site of aiohttp is started and its runner never cleaned up
# runner: pytest-asyncio function
# needs: pytest-asyncio, aiohttp
# args: -o asyncio_mode=auto
from aiohttp import web

kept: list[web.AppRunner] = []


async def test_leaves() -> None:
    runner = web.AppRunner(web.Application())
    kept.append(runner)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()


async def test_neighbour() -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await runner.cleanup()
