# expect: TL101 test_leaves what=member born=here
# why: a TaskGroup entered by hand and never left does not wait for its members
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def member() -> None:
    await asyncio.sleep(3600)


async def test_leaves() -> None:
    group = asyncio.TaskGroup()
    await group.__aenter__()
    group.create_task(member())  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
