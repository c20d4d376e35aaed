# expect: TL202 test_leaves what=remind
# why: a loop by hand is closed with a scheduled timer
# runner: sync own loop
import asyncio


def remind() -> None: ...


def test_leaves() -> None:
    loop = asyncio.new_event_loop()
    loop.call_later(3600, remind)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_neighbour() -> None:
    pass
