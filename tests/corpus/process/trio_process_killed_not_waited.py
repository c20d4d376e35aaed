# expect: TL402 test_leaves what=sleep born=made
# why: trio leaves the waiting to the caller
# runner: trio.run
# needs: trio, posix
import trio

KEPT: list[object] = []


async def main() -> None:
    process = await trio.lowlevel.open_process(["sleep", "60"])  # born:made
    KEPT.append(process)
    process.kill()


def test_leaves() -> None:
    trio.run(main)


def test_neighbour() -> None:
    pass
