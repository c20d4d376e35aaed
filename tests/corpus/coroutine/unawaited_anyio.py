# expect: TL711 test_forgets[asyncio] what=work born=here
# expect: TL711 test_forgets[trio] what=work born=here
# why: the statement lacks an await, under either backend
# runner: anyio
# needs: anyio, trio
import anyio
import pytest

pytestmark = pytest.mark.anyio


async def work() -> None:
    await anyio.sleep(0)


async def test_forgets() -> None:
    work()  # born:here


async def test_awaits() -> None:
    await work()
