# expect: TL711 test_forgets what=work born=here
# why: the statement lacks an await
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def work() -> None:
    await asyncio.sleep(0)


async def test_forgets() -> None:
    work()  # born:here


async def test_awaits() -> None:
    await work()
