# expect: TL401 test_leaves what=sleep born=made
# why: nothing but the collector ends it, whenever that comes
# runner: sync asyncio.run
# needs: posix
# args: -W ignore::ResourceWarning
import asyncio
import gc


async def main() -> None:
    await asyncio.create_subprocess_exec("sleep", "60")  # born:made


def test_leaves() -> None:
    asyncio.run(main())
    gc.collect()


def test_neighbour() -> None:
    pass
