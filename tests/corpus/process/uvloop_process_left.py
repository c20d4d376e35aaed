# expect: TL401 test_leaves what=sleep born=made
# why: uvloop starts processes without subprocess.Popen
# runner: uvloop
# needs: uvloop, posix
import asyncio

import uvloop

KEPT: list[object] = []


async def main() -> None:
    KEPT.append(await asyncio.create_subprocess_exec("sleep", "60"))  # born:made


def test_leaves() -> None:
    uvloop.run(main())


def test_neighbour() -> None:
    pass
