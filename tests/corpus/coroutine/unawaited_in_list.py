# expect: TL711 test_forgets what=work
# why: a list of coroutines that was never given to gather
# runner: pytest-asyncio session
# needs: pytest-asyncio
# args: -o asyncio_mode=auto -o asyncio_default_test_loop_scope=session
import asyncio


async def work() -> None:
    await asyncio.sleep(0)


async def test_forgets() -> None:
    jobs = [work() for _ in range(3)]
    assert len(jobs) == 3


async def test_gathers() -> None:
    jobs = [work() for _ in range(3)]
    await asyncio.gather(*jobs)
