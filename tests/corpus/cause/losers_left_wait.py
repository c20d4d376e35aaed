# expect: TL101 test_race what=fetch born=here cause=losers-left finality=outside
# waits: *sleep*
# why: asyncio.wait(FIRST_COMPLETED) hands back the pending one, and nobody cancels it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def fetch(mirror: int) -> int:
    await asyncio.sleep(30 * mirror)
    return mirror


async def fastest() -> int:
    mirrors = [asyncio.create_task(fetch(mirror)) for mirror in (0, 1)]  # born:here
    done, _ = await asyncio.wait(mirrors, return_when=asyncio.FIRST_COMPLETED)
    return done.pop().result()


async def test_race() -> None:
    assert await fastest() == 0


async def test_neighbour() -> None:
    await asyncio.sleep(0)
