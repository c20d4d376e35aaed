# expect: TL102 test_run what=write_audit born=here cause=abandoned finality=outside
# waits: *sleep*
# why: the main coroutine returns before the work that it started
# runner: sync asyncio.run
import asyncio


async def write_audit() -> None:
    await asyncio.sleep(30)


async def main() -> str:
    asyncio.ensure_future(write_audit())  # born:here
    await asyncio.sleep(0)
    return "done"


def test_run() -> None:
    assert asyncio.run(main()) == "done"


def test_neighbour() -> None:
    pass
