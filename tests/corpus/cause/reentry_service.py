# expect: TL102 test_reload what=Service.reload born=here cause=reentry finality=deadlock
# waits: *Lock*
# edge: task 'reloader' -> asyncio.Lock*lock* [waits for]
# edge: asyncio.Lock*lock* -> task 'reloader' [held by]
# why: a method with the lock calls another that takes it; the service is a global of the module
# runner: sync asyncio.run
import asyncio


class Service:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.values: dict[str, int] = {}

    async def set(self, key: str, value: int) -> None:
        async with self.lock:
            self.values[key] = value

    async def reload(self) -> None:
        async with self.lock:
            self.values.clear()
            await self.set("version", 1)


SERVICE = Service()
TASKS: set[asyncio.Task[None]] = set()


async def main() -> None:
    TASKS.add(asyncio.create_task(SERVICE.reload(), name="reloader"))  # born:here
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def test_reload() -> None:
    asyncio.run(main())
    assert SERVICE.values == {}
