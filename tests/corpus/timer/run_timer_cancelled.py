# expect: clean
# why: nothing is scheduled any more when the runs' loops are closed
# runner: sync asyncio.run
import asyncio


def remind() -> None: ...


async def main() -> None:
    handle = asyncio.get_running_loop().call_later(3600, remind)
    async with asyncio.timeout(3600):
        await asyncio.sleep(0)
    handle.cancel()


def test_run() -> None:
    asyncio.run(main())


def test_own_loop() -> None:
    loop = asyncio.new_event_loop()
    handle = loop.call_later(3600, remind)
    loop.run_until_complete(main())
    handle.cancel()
    loop.close()
