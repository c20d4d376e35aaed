# expect: clean
# why: the task's cancellation kills its process and waits for it
# runner: sync asyncio.run
# needs: posix
import asyncio


async def main() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        await asyncio.wait_for(process.wait(), 0.01)
    except TimeoutError:
        process.kill()
        await process.wait()


def test_kills() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    pass
