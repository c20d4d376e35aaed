import asyncio

from bank import Account, Clearing, fastest_rate, transfer


async def test_transfers_go_both_ways():
    alice, bob = Account(100), Account(100)
    there = asyncio.create_task(transfer(alice, bob, 30), name="alice-bob")
    back = asyncio.create_task(transfer(bob, alice, 10), name="bob-alice")
    await asyncio.wait([there, back], timeout=0.01)
    assert alice.balance + bob.balance == 200


async def test_clearing_settles():
    clearing = Clearing()
    clearing.pay(10)
    await clearing.drained()
    assert clearing.settled == [10]


async def near():
    return 1.09


async def far():
    await asyncio.sleep(60)
    return 1.08


async def test_fastest_rate():
    assert await fastest_rate({"far": far, "near": near}) == 1.09
