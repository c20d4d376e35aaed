# expect: TL104 test_leaves what=stubborn born=here
# why: asyncio.run would wait for a task that swallows its cancellation; it must be told, and must not hang
# runner: sync asyncio.run
import asyncio
import contextlib

ENOUGH: list[int] = []


async def stubborn() -> None:
    while len(ENOUGH) < 200:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.02)
        ENOUGH.append(1)


async def main() -> None:
    asyncio.create_task(stubborn())  # born:here
    await asyncio.sleep(0)


def test_leaves() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    pass
