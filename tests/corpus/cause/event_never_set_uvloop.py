# expect: TL102 test_serves what=serve born=here cause=event-never-set finality=stuck
# waits: *Event*
# kept: nobody
# why: uvloop keeps nothing of a task that waits for an event
# runner: uvloop
# needs: uvloop
import asyncio
import gc

gc.disable()  # the collector would destroy the task before its runner closes


async def serve() -> None:
    await asyncio.Event().wait()


async def main() -> None:
    asyncio.create_task(serve(), name="server")  # born:here
    await asyncio.sleep(0)


def test_serves() -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
