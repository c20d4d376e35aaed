# expect: TL101 TestLeaky::test_serve what=Base.forever born=here
# why: the method is inherited; only the subclass that does not stop it is guilty
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


class Base:
    stops = True

    async def forever(self) -> None:
        await asyncio.sleep(3600)

    async def test_serve(self) -> None:
        task = asyncio.create_task(self.forever())  # born:here
        await asyncio.sleep(0)
        if self.stops:
            task.cancel()


class TestLeaky(Base):
    stops = False


class TestTidy(Base):
    pass
