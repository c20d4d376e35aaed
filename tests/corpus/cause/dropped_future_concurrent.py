# expect: TL101 test_asks what=ask born=here cause=dropped-future finality=stuck|unknown
# why: a future of concurrent.futures that was given to no thread, wrapped for the loop
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import concurrent.futures

TASKS: list[asyncio.Task[int]] = []


async def ask() -> int:
    answer: concurrent.futures.Future[int] = concurrent.futures.Future()
    return await asyncio.wrap_future(answer)


async def test_asks() -> None:
    TASKS.append(asyncio.create_task(ask(), name="asker"))  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
