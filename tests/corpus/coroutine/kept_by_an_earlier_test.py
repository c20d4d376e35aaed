# expect: clean
# why: who empties a list of the module, or replaces what is there, did not make what was in it
# runner: sync
import asyncio

KEPT: list[object] = []
ONE: object = None


async def work() -> None:
    await asyncio.sleep(0)


class Place:
    job: object = None


def test_keeps() -> None:
    global ONE
    KEPT.append(work())
    KEPT.append(work())
    ONE = work()
    Place.job = work()


def test_clears() -> None:
    KEPT.pop()
    KEPT.clear()


def test_replaces() -> None:
    global ONE
    ONE = None
    Place.job = None


def test_awaits() -> None:
    asyncio.run(work())
