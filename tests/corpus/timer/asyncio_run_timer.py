# expect: TL202 test_leaves what=remind
# why: the timer never fires, for asyncio.run closes the loop under it
# runner: sync asyncio.run
import asyncio


def remind() -> None: ...


async def main() -> None:
    asyncio.get_running_loop().call_later(3600, remind)


def test_leaves() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    pass
