# expect: TL101 test_closes what=Client.run born=here cause=closed-without-waiting finality=outside
# waits: *sleep*
# why: cancelled, it still says goodbye to its server, and nobody waits for that
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


class Client:
    def __init__(self) -> None:
        self.task = asyncio.create_task(self.run())  # born:here

    async def run(self) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.say_goodbye()

    async def say_goodbye(self) -> None:
        await asyncio.sleep(30)

    def close(self) -> None:
        self.task.cancel()


async def test_closes() -> None:
    client = Client()
    await asyncio.sleep(0)
    client.close()
    await asyncio.sleep(0)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
