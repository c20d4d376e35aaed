# expect: TL202 test_leaves what=remind
# why: the Runner's loop is closed with a scheduled timer
# runner: sync Runner
import asyncio


def remind() -> None: ...


def test_leaves() -> None:
    with asyncio.Runner() as runner:
        runner.get_loop().call_later(3600, remind)
        runner.run(asyncio.sleep(0))


def test_neighbour() -> None:
    pass
