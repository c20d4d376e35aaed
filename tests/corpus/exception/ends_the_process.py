# expect: clean
# why: SystemExit and KeyboardInterrupt go through the loop to the caller; they are for the process
# runner: asyncio.run
import asyncio

import pytest


async def leave(error: BaseException) -> None:
    raise error


async def main(error: BaseException) -> None:
    asyncio.create_task(leave(error))
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def test_system_exit() -> None:
    with pytest.raises(SystemExit):
        asyncio.run(main(SystemExit(3)))


def test_keyboard_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main(KeyboardInterrupt()))
