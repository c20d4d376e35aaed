# expect: TL101 test_leaves what=forever born=here
# why: a context made from nothing does not carry the owner; the phase still tells it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import contextvars


async def forever() -> None:
    await asyncio.sleep(3600)


async def test_leaves() -> None:
    asyncio.create_task(forever(), context=contextvars.Context())  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
