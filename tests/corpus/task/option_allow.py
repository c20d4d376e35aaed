# expect: clean
# why: a rule of the command line allows the coroutine by its module and qualname
# runner: sync asyncio.run
# args: --taskleak-allow=task:test_option_allow:forever
import asyncio


async def forever() -> None:
    await asyncio.sleep(3600)


async def main() -> None:
    asyncio.create_task(forever())
    await asyncio.sleep(0)


def test_allowed() -> None:
    asyncio.run(main())
