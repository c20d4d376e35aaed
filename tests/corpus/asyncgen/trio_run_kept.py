# expect: TL612 test_leaves what=numbers born=here
# expect: TL612 test_anyio[trio] what=numbers born=anyio
# why: trio closes what is kept in silence when its run ends
# runner: trio
# needs: trio, anyio
# args: -p no:asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import trio

KEPT: list[AsyncIterator[int]] = []


async def numbers() -> AsyncIterator[int]:
    for number in range(3):
        await trio.sleep(0)
        yield number


async def leave() -> None:
    generator = numbers()
    KEPT.append(generator)
    await anext(generator)  # born:here


async def tidy() -> None:
    assert [number async for number in numbers()] == [0, 1, 2]
    async with contextlib.aclosing(numbers()) as generator:
        await anext(generator)
    async for _ in numbers():
        break
    cycle: list[object] = [numbers()]
    cycle.append(cycle)
    await anext(cycle[0])  # type: ignore[call-overload]


def test_leaves() -> None:
    trio.run(leave)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_tidy() -> None:
    trio.run(tidy)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_anyio(anyio_backend: str) -> None:
    generator = numbers()
    KEPT.append(generator)
    await anext(generator)  # born:anyio


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_anyio_tidy(anyio_backend: str) -> None:
    await tidy()
