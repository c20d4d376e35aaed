# expect: clean
# why: asyncio.run and Runner wait for their default executor, also for a call of 20 ms that nobody awaits
# runner: sync asyncio.run
import asyncio
import time


def short() -> None:
    time.sleep(0.02)


async def main() -> None:
    await asyncio.to_thread(len, "abc")


async def forgets() -> None:
    asyncio.get_running_loop().run_in_executor(None, short)


def test_run() -> None:
    asyncio.run(main())


def test_forgets() -> None:
    asyncio.run(forgets())


def test_runner() -> None:
    with asyncio.Runner() as runner:
        runner.run(main())
