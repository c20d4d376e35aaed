"""A price feed: asks a source for quotes again and again, and pings it meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable

Quotes = dict[str, float]


class PriceFeed:
    """Keeps the newest quotes of a source."""

    def __init__(self, fetch: Callable[[], Awaitable[Quotes]]) -> None:
        self.quotes: Quotes = {}
        self._fetch = fetch

    async def start(self) -> None:
        self.quotes.update(await self._fetch())
        self._poller = asyncio.create_task(self._poll(), name="price-poller")

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(30)
            self.quotes.update(await self._fetch())

    async def aclose(self) -> None:
        self._poller.cancel()
        await asyncio.gather(self._poller, return_exceptions=True)


class Heartbeat:
    """Sends a ping now, and then every 15 seconds."""

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send = send

    def start(self) -> None:
        self._send("ping")
        self._timer = asyncio.get_running_loop().call_later(15, self.start)

    def close(self) -> None:
        self._timer.cancel()
