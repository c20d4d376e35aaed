# expect: TL711 test_forgets what=work born=here
# expect: TL711 test_shuts_down what=work born=down
# why: the statement lacks an await, in the main coroutine or in the clean-up of a cancelled task
# runner: asyncio.run
import asyncio


async def work() -> None:
    await asyncio.sleep(0)


async def main() -> None:
    work()  # born:here


async def helper() -> None:
    try:
        await asyncio.sleep(0)
    finally:
        work()  # born:down


def test_forgets() -> None:
    asyncio.run(main())


def test_shuts_down() -> None:
    asyncio.run(helper())


def test_awaits() -> None:
    asyncio.run(work())
