# expect: clean
# why: run_process in a nursery is killed and waited for when that is cancelled
# runner: trio.run
# needs: trio, posix
import trio


async def main() -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.run_process, ["sleep", "60"])
        nursery.cancel_scope.cancel()
    done = await trio.run_process(["echo", "abc"], capture_stdout=True)
    assert done.stdout == b"abc\n"


def test_runs() -> None:
    trio.run(main)


def test_neighbour() -> None:
    pass
