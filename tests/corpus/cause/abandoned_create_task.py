# expect: TL101 test_checkout what=send_receipt born=here cause=abandoned finality=outside
# waits: *sleep*
# no-cycle:
# why: made by a helper that forgets it at once; it waits for the time only
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


async def send_receipt(order: int) -> None:
    await asyncio.sleep(30 + order)


async def checkout(order: int) -> int:
    asyncio.create_task(send_receipt(order))  # born:here
    await asyncio.sleep(0)
    return order


async def test_checkout() -> None:
    assert await checkout(7) == 7


async def test_neighbour() -> None:
    await asyncio.sleep(0)
