from client import Batch


async def test_orders_are_sent(fake_clock):
    sent = []
    batch = Batch(sent.extend)
    await batch.place("buy 10 ACME")
    assert (sent, fake_clock.elapsed) == (["buy 10 ACME"], 0)
