# expect: TL102 test_leaves what=forever born=here
# why: asyncio.Runner closes over a pending task; a later run of the same runner saw it alive
# runner: sync Runner
import asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


async def start() -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)


async def count() -> int:
    return len(asyncio.all_tasks())


def test_leaves() -> None:
    with asyncio.Runner() as runner:
        runner.run(start())
        assert runner.run(count()) == 2


def test_neighbour() -> None:
    pass
