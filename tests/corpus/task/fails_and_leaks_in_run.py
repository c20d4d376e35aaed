# expect: TL102 test_fails what=forever born=here severity=note
# outcome: test_fails failed
# why: the own failure comes out of asyncio.run, which cancels the leftover on its way
# runner: sync asyncio.run
import asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


async def main() -> None:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)
    raise AssertionError("the own failure")


def test_fails() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    pass
