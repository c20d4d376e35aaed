# expect: TL102 test_leaves what=forever born=here
# why: asyncio.run cancels the leftover silently; the test that ran it has a leak
# runner: sync asyncio.run
import asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


async def main() -> str:
    asyncio.create_task(forever())  # born:here
    await asyncio.sleep(0)
    return "done"


def test_leaves() -> None:
    assert asyncio.run(main()) == "done"


def test_neighbour() -> None:
    pass
