# expect: TL701 test_fails what=boom severity=note
# outcome: test_fails failed
# why: the test's own failure comes first; what it lost is a note below
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

KEPT: list[asyncio.Task[None]] = []


async def boom() -> None:
    await asyncio.sleep(0)
    raise ValueError("boom")


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_fails() -> None:
    KEPT.append(asyncio.create_task(boom()))
    await turns()
    raise AssertionError


async def test_neighbour() -> None:
    await turns()
