# expect: TL103 test_leaves what=forever born=here
# why: the loop is closed under the pending task without a cancel
# runner: sync own loop
import asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


def test_leaves() -> None:
    loop = asyncio.new_event_loop()
    loop.create_task(forever())  # born:here
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_neighbour() -> None:
    pass
