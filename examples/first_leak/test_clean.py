from contextlib import aclosing, closing

from feed import Heartbeat, PriceFeed


async def fetch():
    return {"ACME": 42.0}


async def test_first_quote():
    async with aclosing(PriceFeed(fetch)) as feed:
        await feed.start()
        assert feed.quotes == {"ACME": 42.0}


async def test_first_ping():
    sent = []
    with closing(Heartbeat(sent.append)) as heartbeat:
        heartbeat.start()
        assert sent == ["ping"]
