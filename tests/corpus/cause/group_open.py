# expect: TL101 test_opens what=tick born=here cause=group-open finality=outside
# waits: asyncio.sleep(30)
# why: the group was entered by hand and never left
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

GROUPS: list[asyncio.TaskGroup] = []


async def tick() -> None:
    await asyncio.sleep(30)


async def test_opens() -> None:
    group = asyncio.TaskGroup()
    GROUPS.append(group)
    await group.__aenter__()
    group.create_task(tick(), name="ticker")  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
