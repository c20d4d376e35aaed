# expect: TL102 test_serves what=serve born=here finality=wakeable
# waits: *Event*
# why: the function of the test still runs when the runner closes, and has the event in a local variable
# runner: sync asyncio.run
import asyncio

TASKS: list[asyncio.Task[None]] = []


async def serve(ready: asyncio.Event) -> None:
    await ready.wait()


async def main(ready: asyncio.Event) -> None:
    TASKS.append(asyncio.create_task(serve(ready), name="server"))  # born:here
    await asyncio.sleep(0)


def test_serves() -> None:
    ready = asyncio.Event()
    asyncio.run(main(ready))
    assert not ready.is_set()
