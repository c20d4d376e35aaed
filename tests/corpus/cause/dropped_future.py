# expect: TL101 test_calls what=call born=here cause=dropped-future finality=stuck
# waits: *Future*
# edge: task 'rpc' -> asyncio.Future*reply* [waits for]
# kept: nobody
# why: the reply was registered nowhere, so that nobody can ever resolve it
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio
import gc

gc.disable()  # the collector would destroy the task before the test ends


async def call(request: str) -> str:
    reply: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    return request + await reply


async def test_calls() -> None:
    asyncio.create_task(call("hello"), name="rpc")  # born:here
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
