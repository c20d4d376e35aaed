"""The audit trail as it should be, on a `TrackedTaskGroup`: nothing is lost, and what is dropped is counted."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from twins.audit_trail import Store

from pytest_taskleak import TrackedTaskGroup


class SoundTrail:
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
        self._buffer: deque[int] = deque()
        self._size = size
        self._taken: list[int] = []
        self._lock = asyncio.Lock()

    @property
    def buffered(self) -> list[int]:
        """What is not stored yet."""
        return [*self._taken, *self._buffer]

    def append(self, entry: int) -> None:
        """Accept an entry."""
        self.total += 1
        self._buffer.append(entry)
        self._trim()

    async def start(self, tg: TrackedTaskGroup) -> None:
        """Start the workers: they end when all others have."""
        tg.create_task(self._flush_for_ever(), name="flush", background=True)
        tg.create_task(self._idle(), name="archival", background=True)
        tg.create_task(self._idle(), name="verification", background=True)

    async def stop(self) -> None:
        """Store what is left."""
        await self.flush()

    async def flush(self) -> None:
        """Store what is in the buffer; whatever becomes of that, an entry is stored or still here."""
        async with self._lock:
            self._taken = list(self._buffer)
            self._buffer.clear()
            try:
                if self._taken:
                    await self.store(self._taken)
                    self._taken = []
            finally:
                self._buffer.extendleft(reversed(self._taken))
                self._taken = []
                self._trim()

    def _trim(self) -> None:
        while len(self._buffer) > self._size:
            self._buffer.popleft()
            self.dropped += 1

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.every)
            try:
                await self.flush()
            except ConnectionError:
                continue

    async def _idle(self) -> None:
        while True:
            await asyncio.sleep(self.every)


@asynccontextmanager
async def lifespan(trail: SoundTrail) -> AsyncIterator[TrackedTaskGroup]:
    """Run a trail beside requests; the last batch is stored when all workers have ended."""
    try:
        async with TrackedTaskGroup("lifespan") as group:
            await trail.start(group)
            yield group
    finally:
        await trail.stop()
