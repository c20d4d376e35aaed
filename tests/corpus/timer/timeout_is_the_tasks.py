# expect: TL101 test_leaves what=wait_for_reply born=here
# why: the timer of asyncio.timeout is told with the task that waits under it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def wait_for_reply(reply: asyncio.Event) -> None:
    async with asyncio.timeout(3600):
        await reply.wait()


async def test_leaves() -> None:
    asyncio.create_task(wait_for_reply(asyncio.Event()))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
