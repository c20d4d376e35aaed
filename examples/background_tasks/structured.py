"""The same order desk, in its third state: its tasks live in a block, and one deadline ends them."""

import asyncio
from contextlib import asynccontextmanager

from pytest_taskleak import TrackedTaskGroup


@asynccontextmanager
async def open_desk(post, shelf):
    async with TrackedTaskGroup("desk") as group:
        desk = Desk(group, post, shelf)
        group.create_task(desk.store_for_ever(), name="storing", background=True)
        try:
            yield desk
        finally:
            await desk.stop()


class Desk:
    """Confirms each order by mail, asks later how it was, and stores orders once a minute."""

    def __init__(self, group, post, shelf):
        self._group = group
        self._post = post
        self._shelf = shelf
        self._orders = []

    @property
    def errors(self):
        return [f"{name}: {number}" for name, number in self._group.failures().items()]

    async def stop(self):
        await self._group.drain(deadline=10)

    def take(self, order):
        self._orders.append(order)
        self._group.spawn(self._post.send(f"confirmed: {order}"), name="confirmation")

    def ask_later(self, order):
        self._group.schedule(300, self._post.send, f"how was {order}?", name="question")

    async def store_for_ever(self):
        try:
            while True:
                await asyncio.sleep(60)
                await self._shelf.reserve(len(self._orders))
                await self._group.gather(*map(self._put, self._orders), names=self._orders)
        finally:
            for order in list(self._orders):
                await self._put(order)

    async def _put(self, order):
        await self._shelf.put(order)
        self._orders.remove(order)
