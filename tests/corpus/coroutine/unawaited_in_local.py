# expect: TL711 test_forgets what=work born=here
# why: the coroutine dies with the local variable, when the test has returned
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def work() -> None:
    await asyncio.sleep(0)


async def test_forgets() -> None:
    unused = work()  # born:here


async def test_forgets_until_the_end() -> None:
    await work()


async def test_awaits() -> None:
    used = work()
    await used
