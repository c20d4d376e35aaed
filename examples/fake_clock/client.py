"""A client of a price service: it tries again, sends heartbeats, keeps answers and collects orders."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Self

Ask = Callable[[str], Awaitable[float]]


class Client:
    """Asks for prices; when it fails, again after 1, 2, 4 and 8 seconds."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def price(self, name: str) -> float:
        for pause in (1, 2, 4, 8):
            try:
                async with asyncio.timeout(10):
                    return await self._ask(name)
            except (ConnectionError, TimeoutError):
                await asyncio.sleep(pause)
        async with asyncio.timeout(10):
            return await self._ask(name)


class Heartbeat:
    """Sends a ping every 30 seconds for as long as its block lasts."""

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send = send

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._beat(), name="heartbeat")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(30)
            self._send("ping")


class Cache:
    """Keeps prices for five minutes."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._known: dict[str, tuple[float, float]] = {}

    async def price(self, name: str) -> float:
        price, until = self._known.get(name, (0.0, 0.0))
        if time.monotonic() >= until:
            price = await self._ask(name)
            self._known[name] = price, time.monotonic() + 300
        return price


class Batch:
    """Collects orders and sends three at once."""

    def __init__(self, send: Callable[[list[str]], None]) -> None:
        self._send = send
        self._orders: list[str] = []
        self._sent = asyncio.Event()

    async def place(self, order: str) -> None:
        """Place an order; return when it is sent."""
        self._orders.append(order)
        if len(self._orders) == 3:
            self._send(self._orders)
            self._sent.set()
        await self._sent.wait()
