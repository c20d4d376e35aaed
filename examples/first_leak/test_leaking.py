from feed import Heartbeat, PriceFeed


async def fetch():
    return {"ACME": 42.0}


async def test_first_quote():
    feed = PriceFeed(fetch)
    await feed.start()
    assert feed.quotes == {"ACME": 42.0}


async def test_first_ping():
    sent = []
    heartbeat = Heartbeat(sent.append)
    heartbeat.start()
    assert sent == ["ping"]
