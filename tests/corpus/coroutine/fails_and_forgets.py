# expect: TL711 test_fails what=work severity=note
# outcome: test_fails failed
# why: the test's own failure comes first; what it forgot is a note below
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def work() -> None:
    await asyncio.sleep(0)


async def test_fails() -> None:
    work()
    raise AssertionError


async def test_neighbour() -> None:
    await work()
