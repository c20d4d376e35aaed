# expect: TL401 test_leaves what=sleep born=made
# why: asyncio.run closes the loop around it
# runner: sync asyncio.run
# needs: posix
import asyncio

KEPT: list[object] = []


async def main() -> None:
    KEPT.append(await asyncio.create_subprocess_exec("sleep", "60"))  # born:made


def test_leaves() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    pass
