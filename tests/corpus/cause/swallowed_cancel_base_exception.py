# expect: TL101|TL104 test_stops what=Worker.run born=here cause=swallowed-cancel finality=swallows
# why: the test stops its worker, but `except BaseException` logs the cancellation as one more error
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio

ERRORS: list[BaseException] = []


class Worker:
    async def run(self) -> None:
        while len(ERRORS) < 200:
            try:
                await asyncio.sleep(0.02)
            except BaseException as error:
                ERRORS.append(error)
            else:
                ERRORS.append(TimeoutError())


async def test_stops() -> None:
    task = asyncio.create_task(Worker().run(), name="worker")  # born:here
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task}, timeout=0.05)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
