# expect: TL201 test_leaves what=remind
# expect: TL101 test_leaves what=forever born=task
# why: a timer and a task that have nothing in common are two findings; the task's own timer is none
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


def remind() -> None: ...


async def forever() -> None:
    await asyncio.sleep(3600)


async def test_leaves() -> None:
    asyncio.create_task(forever())  # born:task
    asyncio.get_running_loop().call_later(3600, remind)
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
