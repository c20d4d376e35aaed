# expect: TL102 test_serves what=serve born=here finality=wakeable
# waits: *Event*
# why: atexit keeps a bound method of the event where only C can see it
# runner: sync asyncio.run
import asyncio
import atexit

TASKS: list[asyncio.Task[None]] = []


async def serve(ready: asyncio.Event) -> None:
    await ready.wait()


async def main() -> None:
    ready = asyncio.Event()
    atexit.register(ready.set)
    TASKS.append(asyncio.create_task(serve(ready), name="server"))  # born:here
    await asyncio.sleep(0)


def test_serves() -> None:
    asyncio.run(main())
