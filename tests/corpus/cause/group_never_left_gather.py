# expect: TL102 test_collects what=collect born=here cause=group-never-left finality=stuck
# maybe: TL102 test_collects what=load cause=dropped-future finality=stuck
# waits: *Future*
# edge: task 'collector' -> task 'loader' [awaits]
# edge: task 'loader' -> asyncio.Future* [waits for]
# no-cycle:
# why: gather waits for two, of which one is done and the other stuck
# runner: sync asyncio.run
import asyncio
import gc

gc.disable()  # nobody keeps them


async def load() -> None:
    await asyncio.get_running_loop().create_future()


async def collect() -> None:
    loader = asyncio.create_task(load(), name="loader")
    await asyncio.gather(loader, asyncio.sleep(0))


async def main() -> None:
    asyncio.create_task(collect(), name="collector")  # born:here
    for _ in range(4):
        await asyncio.sleep(0)


def test_collects() -> None:
    asyncio.run(main())
