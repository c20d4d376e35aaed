# expect: clean
# why: two tasks wait for each other in turns, each is served in time; no cycle ever stands still
# runner: uvloop
# needs: uvloop
import asyncio

import uvloop


async def ping(asked: asyncio.Event, answered: asyncio.Event) -> None:
    asked.set()
    await answered.wait()


async def pong(asked: asyncio.Event, answered: asyncio.Event) -> None:
    await asked.wait()
    answered.set()


async def main() -> None:
    asked, answered = asyncio.Event(), asyncio.Event()
    await asyncio.gather(pong(asked, answered), ping(asked, answered))


def test_turns() -> None:
    uvloop.run(main())
