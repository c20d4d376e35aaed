# expect: TL101 fixture:*setup_method* what=forever born=here on=TestService::test_uses
# expect: TL601 fixture:*setup_method* on=TestService::test_uses
# why: xunit setup_method is a function-scoped fixture to pytest; its loop stays open with a task on it
# runner: sync own loop
import asyncio

LOOPS: list[asyncio.AbstractEventLoop] = []


async def forever() -> None:
    await asyncio.sleep(3600)


class TestService:
    def setup_method(self) -> None:
        self.loop = asyncio.new_event_loop()
        LOOPS.append(self.loop)
        self.task = self.loop.create_task(forever())  # born:here
        self.loop.run_until_complete(asyncio.sleep(0))

    def test_uses(self) -> None:
        assert not self.task.done()


def test_neighbour() -> None:
    pass
