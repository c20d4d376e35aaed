"""The same order desk, in its second state: the same shape, with helpers for each `create_task`."""

import asyncio
from contextlib import asynccontextmanager

from pytest_taskleak import TrackedTaskGroup, fire_and_forget


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
        self._group = TrackedTaskGroup("desk", on_error=self._failed)
        self.errors = []

    def start(self):
        self._group.open()
        self._storing = self._group.spawn(self._store_for_ever(), name="storing")

    async def stop(self):
        self._storing.cancel()

    def take(self, order):
        self._orders.append(order)
        self._confirm(order)

    def ask_later(self, order):
        self._group.schedule(300, self._post.send, f"how was {order}?", name="question")

    @fire_and_forget(name="confirmation")
    async def _confirm(self, order):
        await self._post.send(f"confirmed: {order}")

    async def _store_for_ever(self):
        while True:
            await asyncio.sleep(60)
            batch, self._orders = self._orders, []
            await self._shelf.reserve(len(batch))
            fates = await self._group.gather(*map(self._shelf.put, batch), names=batch)
            self._orders += [fate.name for fate in fates if fate.outcome != "completed"]

    def _failed(self, failure):
        self.errors.append(f"{failure.name}: {failure.exception}")
