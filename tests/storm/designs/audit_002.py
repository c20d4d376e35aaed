"""An audit trail whose entries are stored in the background, and the lifespan in which it lives.

- A batch that could not be stored is put back on `Exception`: cancellation is none, and the batch is lost.
- It is put back with `extendleft` into a bounded deque: what came meanwhile falls out, and nobody counts it.
- The lifespan leaves a `TaskGroup` in which a worker runs for ever.
- `start()` does nothing while the running flag is set, and nothing clears that when the group is aborted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pytest_taskleak.storm.env import Env

EVERY = 0.03
"""Seconds between two batches."""
SIZE = 4
"""Entries in the bounded buffer."""


class Trail:
    """An audit trail; as it was published.

    Parameters:
        env: the world.
        size: most entries in the buffer; `None` for any number.
    """

    def __init__(self, env: Env, size: int | None = None) -> None:
        self.env = env
        self.store = env.dep("store", latency=(0.02, 0.02), result=self.stored)
        self.buffer: deque[int] = deque(maxlen=size)
        self.lock = asyncio.Lock()
        self.workers: list[asyncio.Task[Any]] = []
        self.closed = False

    def stored(self, batch: list[int]) -> None:
        """Note what is durable now."""
        for entry in batch:
            self.env.finish(entry)

    async def start(self) -> None:
        """Begin to store."""
        self.workers = [asyncio.create_task(self.flush_for_ever(), name="flush")]

    def append(self, entry: int) -> None:
        """Take an entry on, or refuse it; the oldest makes room, and is counted."""
        if self.closed:
            return
        if len(self.buffer) == self.buffer.maxlen:
            self.env.drop(self.buffer[0], "the buffer is full")
        self.buffer.append(self.env.accept(entry))

    async def flush_for_ever(self) -> None:
        """Store now and then, ten times: then the day is over."""
        for _ in range(10):
            await asyncio.sleep(EVERY)
            await self.flush()

    async def flush(self) -> None:
        """Store what is in the buffer."""
        async with self.lock:
            batch = list(self.buffer)
            self.buffer.clear()
        if batch:
            try:
                await self.store(batch)
            except Exception:  # noqa: BLE001 -- as it was published
                self.put_back(batch)

    def put_back(self, batch: list[int]) -> None:
        """Put back what was not stored."""
        self.buffer.extendleft(reversed(batch))

    async def stop(self) -> None:
        """End the worker, and store what is left."""
        self.closed = True
        for worker in self.workers:
            worker.cancel()
        await asyncio.gather(*self.workers, return_exceptions=True)
        await self.flush()


class CarefulTrail(Trail):
    """Puts a batch back whatever hinders it, and at the end says what could not be stored."""

    async def flush(self) -> None:
        """Store what is in the buffer."""
        async with self.lock:
            batch = list(self.buffer)
            self.buffer.clear()
            if not batch:
                return
            try:
                await self.store(batch)
            except Exception:  # noqa: BLE001 -- whatever a store raises
                self.put_back(batch)
            except BaseException:
                self.put_back(batch)
                raise

    async def stop(self) -> None:
        """End the worker, and store what is left: three times, then it is given up aloud."""
        await super().stop()
        for _ in range(2):
            if self.buffer:
                await self.flush()
        while self.buffer:
            self.env.drop(self.buffer.popleft(), "the store is down")


class OverflowingTrail(CarefulTrail):
    """Puts back into a bounded deque; as it was published."""

    def __init__(self, env: Env) -> None:
        super().__init__(env, SIZE)


class CountingTrail(OverflowingTrail):
    """Says what falls out when a batch is put back."""

    def put_back(self, batch: list[int]) -> None:
        """Put back the newest that have room; they stand before what came meanwhile."""
        room = SIZE - len(self.buffer)
        given_up = batch[: max(0, len(batch) - room)]
        for entry in given_up:
            self.env.drop(entry, "the buffer is full")
        self.buffer.extendleft(reversed(batch[len(given_up) :]))


async def entries(trail: Trail, env: Env) -> None:
    """Append ten entries, some of them while others are being stored."""
    for number in range(10):
        trail.append(number)
        await asyncio.sleep(0.007)


@asynccontextmanager
async def endless_lifespan() -> AsyncIterator[None]:
    """Live beside a worker that never ends; as it was published."""
    async with asyncio.TaskGroup() as group:
        group.create_task(beat(), name="beat")
        yield


@asynccontextmanager
async def ending_lifespan() -> AsyncIterator[None]:
    """Live beside a worker, and tell it when the end has come."""
    async with asyncio.TaskGroup() as group:
        worker = group.create_task(beat(), name="beat")
        try:
            yield
        finally:
            worker.cancel()


async def beat() -> None:
    """Do something now and then, for ever."""
    while True:
        await asyncio.sleep(0.25)


class Recorder:
    """Runs its workers in a group; as it was published."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.store = env.dep("store")
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.running = False
        self.group: asyncio.Task[Any] | None = None

    async def start(self) -> None:
        """Begin, unless it runs."""
        if self.running:
            return
        self.running = True
        self.group = asyncio.create_task(self.run(), name="group")

    async def run(self) -> None:
        """Run the workers; the failure of one ends all, and whoever asks hears of it."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.work(), name="worker")
        except* ConnectionError:
            self.env.loop.call_soon(self.aborted)

    def aborted(self) -> None:
        """Hear that the group was aborted; nothing is done about it."""

    async def work(self) -> None:
        """Store each entry."""
        while True:
            entry = await self.queue.get()
            await self.store(entry)
            self.env.finish(entry)

    def append(self, entry: int) -> None:
        """Take an entry on."""
        self.queue.put_nowait(self.env.accept(entry))

    async def stop(self) -> None:
        """End the group."""
        if self.group is not None:
            self.group.cancel()
            await asyncio.wait({self.group})
        self.running = False


class RestartingRecorder(Recorder):
    """Runs as long as its group does, whatever ends that."""

    def aborted(self) -> None:
        """Hear that the group was aborted."""
        self.running = False
