# expect: TL102 test_works what=enter born=here cause=lock-kept finality=wakeable
# waits: *Lock*
# no-edge: asyncio.Lock* -> task * [held by]
# why: never released, but a global of the module: anybody could still do it
# runner: sync asyncio.run
import asyncio

DOOR = asyncio.Lock()


async def enter() -> None:
    async with DOOR:
        pass


async def main() -> None:
    await DOOR.acquire()
    asyncio.create_task(enter(), name="visitor")  # born:here
    await asyncio.sleep(0)


def test_works() -> None:
    asyncio.run(main())
    DOOR.release()
