# expect: clean
# why: who puts away what an earlier test has kept did not make it; it is told in the summary only
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio

KEPT: list[asyncio.Future[None]] = []


async def test_keeps() -> None:
    KEPT.append(asyncio.get_running_loop().create_future())
    KEPT[0].set_exception(ValueError("boom"))


async def test_second() -> None:
    await asyncio.sleep(0)


async def test_puts_away() -> None:
    KEPT.clear()
