# expect: TL104 test_runs what=stubborn born=here cause=swallowed-cancel finality=swallows
# why: every CancelledError is suppressed in a loop (which gives up after 200 rounds)
# runner: sync asyncio.run
import asyncio
import contextlib

ROUNDS: list[int] = []


async def stubborn() -> None:
    while len(ROUNDS) < 200:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.02)
        ROUNDS.append(1)


async def main() -> None:
    asyncio.create_task(stubborn(), name="stubborn")  # born:here
    await asyncio.sleep(0)


def test_runs() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    pass
