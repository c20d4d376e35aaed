# expect: TL702 test_raises what=stumble
# why: asyncio.run returns as if nothing had happened
# runner: asyncio.run
import asyncio


def stumble() -> None:
    raise ValueError("boom")


async def main() -> None:
    asyncio.get_running_loop().call_soon(stumble)
    await asyncio.sleep(0)


def test_raises() -> None:
    asyncio.run(main())


def test_neighbour() -> None:
    asyncio.run(asyncio.sleep(0))
