# expect: TL102 test_leaves what=forever
# why: a Runner with uvloop's factory cancels silently at its end; uvloop is imported only inside the test
# runner: uvloop
# needs: uvloop
import asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


async def main() -> None:
    asyncio.create_task(forever())
    await asyncio.sleep(0)


def test_leaves() -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_neighbour() -> None:
    pass
