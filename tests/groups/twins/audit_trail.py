"""An audit trail that is written in the background; it carries the mistakes of rows 31, 35, 40 and 41.

- Row 31: `start` does nothing while the running flag is set, and nothing clears that when the group aborts.
- Row 35: the lifespan leaves groups in which workers run for ever, so that it never ends.
- Row 40: a batch that could not be stored is put back on `Exception`. Cancellation is none: the batch is lost.
- Row 41: it is put back with `extendleft` into a bounded deque. Entries that came meanwhile fall out uncounted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

Store = Callable[[list[int]], Awaitable[None]]


class AuditTrail:
    """Buffers entries and stores them now and then.

    Parameters:
        store: stores a batch, or raises.
        size: most entries in the buffer; beyond it the oldest is dropped and counted.
        every: seconds between two batches.
    """

    def __init__(self, store: Store, *, size: int = 1000, every: float = 60.0) -> None:
        self.store = store
        self.every = every
        self.dropped = 0
        self.total = 0
        self.workers: list[asyncio.Task[Any]] = []
        self._buffer: deque[int] = deque(maxlen=size)
        self._lock = asyncio.Lock()
        self._running = False

    @property
    def buffered(self) -> list[int]:
        """What is not stored yet."""
        return list(self._buffer)

    def append(self, entry: int) -> None:
        """Accept an entry."""
        if len(self._buffer) == self._buffer.maxlen:
            self.dropped += 1
        self._buffer.append(entry)
        self.total += 1

    async def start(self, tg: asyncio.TaskGroup | None = None) -> None:
        """Start the workers, in a group if there is one."""
        if self._running:
            return
        self._running = True
        create = asyncio.create_task if tg is None else tg.create_task
        self.workers = [
            create(self._flush_for_ever(), name="flush"),
            create(self._idle(), name="archival"),
            create(self._idle(), name="verification"),
        ]

    async def stop(self) -> None:
        """End the workers and store what is left."""
        self._running = False
        for worker in self.workers:
            worker.cancel()
        await asyncio.gather(*self.workers, return_exceptions=True)
        await self.flush()

    async def flush(self) -> None:
        """Store what is in the buffer."""
        async with self._lock:
            batch = list(self._buffer)
            self._buffer.clear()
        if batch:
            try:
                await self.store(batch)
            except Exception:  # noqa: BLE001 -- as it was published
                self._buffer.extendleft(reversed(batch))

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.every)
            await self.flush()

    async def _idle(self) -> None:
        while True:
            await asyncio.sleep(self.every)


@asynccontextmanager
async def lifespan(trail: AuditTrail) -> AsyncIterator[asyncio.TaskGroup]:
    """Run a trail beside requests, each sort of task in a group of its own."""
    async with asyncio.TaskGroup() as services, asyncio.TaskGroup() as requests:
        await trail.start(services)
        yield requests
    with suppress(asyncio.CancelledError):
        await trail.stop()
