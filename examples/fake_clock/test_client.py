import asyncio

import pytest
from client import Cache, Client, Heartbeat


async def test_it_tries_again(fake_clock):
    asked = []

    async def ask(name):
        asked.append(name)
        if len(asked) < 3:
            raise ConnectionError
        return 42.0

    assert await Client(ask).price("ACME") == 42.0
    assert fake_clock.elapsed == 1 + 2


async def test_it_gives_up(fake_clock):
    async def never(name):
        await asyncio.sleep(3600, name)

    with pytest.raises(TimeoutError):
        await Client(never).price("ACME")
    assert fake_clock.elapsed == 5 * 10 + 1 + 2 + 4 + 8


async def test_an_hour_of_heartbeats(fake_clock):
    sent = []
    async with Heartbeat(sent.append):
        await asyncio.sleep(3601)
    assert (len(sent), fake_clock.elapsed) == (120, 3601)


@pytest.mark.fake_clock(modules=["client"])  # reads time.monotonic()
async def test_prices_are_kept_for_five_minutes():
    asked = []

    async def ask(name):
        asked.append(name)
        return 42.0

    cache = Cache(ask)
    for _ in range(10):
        await cache.price("ACME")
        await asyncio.sleep(60)
    assert len(asked) == 2
