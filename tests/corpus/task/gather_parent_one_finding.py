# expect: TL101 test_leaves what=parent born=here
# maybe: TL101 test_leaves what=child
# maybe: TL101 test_leaves what=child
# why: the children are awaited by the leaked parent; the root is the leak, they may be folded into it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def child() -> None:
    await asyncio.sleep(3600)


async def parent() -> None:
    await asyncio.gather(child(), child())


async def test_leaves() -> None:
    asyncio.create_task(parent())  # born:here
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
