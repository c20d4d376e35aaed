"""An order desk, in its first state: bare `create_task`."""

import asyncio
from contextlib import asynccontextmanager


@asynccontextmanager
async def open_desk(post, shelf):
    desk = Desk(post, shelf)
    desk.start()
    try:
        yield desk
    finally:
        await desk.stop()


class Desk:
    """Confirms each order by mail, asks later how it was, and stores orders once a minute."""

    def __init__(self, post, shelf):
        self._post = post
        self._shelf = shelf
        self._orders = []
        self.errors = []

    def start(self):
        self._storing = asyncio.create_task(self._store_for_ever())

    async def stop(self):
        self._storing.cancel()
        del self._storing

    def take(self, order):
        self._orders.append(order)
        asyncio.create_task(self._post.send(f"confirmed: {order}"))  # noqa: RUF006 -- it is what is shown

    def ask_later(self, order):
        loop = asyncio.get_running_loop()
        loop.call_later(300, lambda: asyncio.create_task(self._post.send(f"how was {order}?")))

    async def _store_for_ever(self):
        while True:
            await asyncio.sleep(60)
            batch, self._orders = self._orders, []
            await self._shelf.reserve(len(batch))
            await asyncio.gather(*map(self._shelf.put, batch), return_exceptions=True)
