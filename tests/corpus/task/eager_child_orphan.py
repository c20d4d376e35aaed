# expect: TL102 test_leaves what=child born=child
# why: asyncio.run under an eager factory; the child is born while its parent's first step runs
# runner: sync asyncio.run
# needs: python>=3.12
import asyncio


async def child() -> None:
    await asyncio.sleep(3600)


async def parent() -> None:
    asyncio.create_task(child())  # born:child


async def main() -> None:
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    await asyncio.create_task(parent())


def test_leaves() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    pass
