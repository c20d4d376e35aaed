# expect: TL711 test_calls what=Service.notify born=here
# expect: TL711 test_local_of_a_helper what=Service.notify
# why: the line that lacks the await lies in a helper of the test
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


class Service:
    async def notify(self) -> None:
        await asyncio.sleep(0)

    def stop(self) -> None:
        self.notify()  # born:here

    def prepare(self) -> None:
        unused = self.notify()

    async def tidy(self) -> None:
        await self.notify()


async def test_calls() -> None:
    Service().stop()


async def test_local_of_a_helper() -> None:
    Service().prepare()


async def test_tidy() -> None:
    await Service().tidy()
