# expect: TL704 test_drops what=ClientSession born=here
# why: the client session was dropped without being closed, and told the loop so
# runner: pytest-asyncio function
# needs: pytest-asyncio, aiohttp
# args: -o asyncio_mode=auto
import aiohttp


async def test_drops() -> None:
    session = aiohttp.ClientSession()  # born:here
    assert not session.closed


async def test_neighbour() -> None:
    async with aiohttp.ClientSession() as session:
        assert not session.closed
