# expect: TL102 test_leaves what=wait_for_reply
# why: the timer of wait_for (3.11 has one of its own make) goes with the task that asyncio.run cuts off
# runner: sync asyncio.run
import asyncio


async def wait_for_reply(reply: asyncio.Event) -> None:
    await asyncio.wait_for(reply.wait(), 3600)


async def main() -> None:
    asyncio.create_task(wait_for_reply(asyncio.Event()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def test_leaves() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    pass
