# expect: clean
# why: awaited, cancelled and short tasks on uvloop, under its own runner
# runner: uvloop
# needs: uvloop
import asyncio

import uvloop


async def main() -> None:
    task = asyncio.create_task(asyncio.sleep(3600))
    await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
    task.cancel()
    async with asyncio.timeout(3600):
        await asyncio.wait_for(asyncio.sleep(0), 3600)


def test_run() -> None:
    uvloop.run(main())


def test_own_loop() -> None:
    loop = uvloop.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
