# expect: clean
# why: the endpoint is closed
# runner: pytest-asyncio function
# needs: pytest-asyncio
# args: -o asyncio_mode=auto
import asyncio


class Receiver(asyncio.DatagramProtocol):
    pass


async def test_endpoint() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", 0))
    transport.close()


async def test_neighbour() -> None:
    await asyncio.sleep(0)
