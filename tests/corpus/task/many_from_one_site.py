# expect: TL101 test_leaves what=forever born=here
# maybe: TL101 test_leaves what=forever
# maybe: TL101 test_leaves what=forever
# why: three tasks of one birth site may be told one by one or as one group
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


async def test_leaves() -> None:
    for _ in range(3):
        asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
