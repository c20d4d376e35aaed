# expect: TL103 test_ends what=watch born=here finality=closed
# waits: *sleep*
# why: its loop was closed under it: no timer can wake it any more
# runner: sync own loop
import asyncio


async def watch() -> None:
    await asyncio.sleep(30)


def test_ends() -> None:
    loop = asyncio.new_event_loop()
    loop.create_task(watch(), name="watcher")  # born:here
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_neighbour() -> None:
    pass
