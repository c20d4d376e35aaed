# expect: TL201 test_reminds what=Reminder.remind cause=timer-left finality=outside
# why: armed and forgotten
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


class Reminder:
    def remind(self) -> None: ...


async def test_reminds() -> None:
    asyncio.get_running_loop().call_later(30, Reminder().remind)


async def test_neighbour() -> None:
    await asyncio.sleep(0)
