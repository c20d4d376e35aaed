"""A service of the kind that is stopped every day, right unless one of its bugs is switched on.

Clients hand items in; three workers store each through a pool of two connections; what fails is tried again
after a while; each stored item leaves an audit record in a buffer, which a flusher empties.  Whatever is not
stored when the service ends goes to a journal, from which another life of it would go on.

What it depends on comes from the environment of the storm: `env.dep` takes a while and may fail,
`env.resource` knows whether it is open, and `env.accept`, `env.finish` and `env.drop` keep the ledger of what
was taken on and what became of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from bugs import BUGS

if TYPE_CHECKING:
    from pytest_taskleak.storm.env import Env, Resource

ITEMS = 14
FLAKY = 5
"""So many of the items, 35 %, fail when they are first stored."""
WORKERS = 3
CONNECTIONS = 2
ATTEMPTS = 3
BACKOFF = 0.02
FLUSHED_AFTER = 0.015
FULL = 6
"""A buffer with so many records is flushed by who fills it."""


class Closed(RuntimeError):
    """The service takes nothing on."""


class Gate:
    """A semaphore of its own: a permit goes straight to who has waited longest."""

    def __init__(self, permits: int, bug: str) -> None:
        self.free = permits
        self.bug = bug
        self.waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        if self.free:
            self.free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and self.bug != "lost-wakeup":
                self.release()  # it was handed over, and cannot be used
            raise

    def release(self) -> None:
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1


class Pool:
    """Two connections that are opened one after the other, lent, and closed once they are back."""

    def __init__(self, env: Env, bug: str) -> None:
        self.bug = bug
        self.gate = Gate(CONNECTIONS, bug)
        self.connect = env.dep("connect")
        self.ping = env.dep("ping", latency=(0.0005, 0.001))
        self.all = [env.resource(f"connection-{number}") for number in range(CONNECTIONS)]
        self.idle: list[Resource] = []

    async def open(self) -> None:
        try:
            for connection in self.all:
                await self.connect()
                self.idle.append(connection.open())
        except BaseException:
            if self.bug != "start-leaks":
                self.close_idle()
            raise

    def close_idle(self) -> None:
        for connection in self.idle:
            connection.close()
        self.idle.clear()

    def close_all(self) -> None:
        for connection in self.all:
            connection.close()

    async def close(self) -> None:
        for _ in self.all:
            await self.gate.acquire()
        self.close_idle()
        for _ in self.all:
            self.gate.release()

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Resource]:
        await self.gate.acquire()
        if self.bug == "permit-leaked":
            await self.ping()
        try:
            connection = self.idle.pop()
            try:
                if self.bug != "permit-leaked":
                    await self.ping()
                yield connection
            finally:
                self.idle.append(connection)
        finally:
            self.gate.release()


class Service:
    """The service.

    Parameters:
        env: the world that it lives in.
        bug: one of `BUGS`; empty for none.
    """

    def __init__(self, env: Env, bug: str = "") -> None:
        if bug and bug not in BUGS:
            raise ValueError(f"no bug of the service: {bug!r}; it is one of {', '.join(BUGS)}")
        self.env, self.bug = env, bug
        flaky = set(env.rng.sample(range(ITEMS), FLAKY))

        def store(item: int) -> None:
            if item in flaky:
                flaky.remove(item)
                raise ConnectionError("try again")

        self.db = env.dep("db", latency=(0.004, 0.012), result=store)
        self.commit = env.dep("commit", latency=(0.001, 0.002))
        self.sink = env.dep("sink", latency=(0.002, 0.006))
        self.journal = env.dep("journal")
        self.source = env.dep("source", latency=(0.002, 0.004), result=lambda: {"attempts": ATTEMPTS})
        self.pool = Pool(env, bug)
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.failures: dict[int, int] = {}
        self.timers: dict[int, asyncio.TimerHandle] = {}
        self.buffer: list[str] = []
        self.flushing = asyncio.Lock()
        self.lifecycle = asyncio.Lock()
        self.halting = asyncio.Event()
        self.filled = asyncio.Event()
        self.configuration: dict[str, int] | None = None
        self.loading: asyncio.Future[None] | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.stopping: asyncio.Task[None] | None = None
        self.answers: dict[Any, asyncio.Future[None]] = {}
        self.open = False

    # --- its life -----------------------------------------------------------------------------------

    async def start(self) -> None:
        async with self.lifecycle:
            if self.open:
                return
            await self.pool.open()
            self.stopping = None
            self.tasks = [asyncio.create_task(self._work(), name=f"worker-{n}") for n in range(WORKERS)]
            self.tasks.append(asyncio.create_task(self._flush_often(), name="flusher"))
            self.open = True

    async def stop(self) -> None:
        if self.bug in ("stop-not-idempotent", "stop-not-shielded"):
            await self._stop()
            return
        if self.stopping is None:
            self.stopping = asyncio.create_task(self._stop(), name="stopper")
        await carried_out(self.stopping)

    async def _stop(self) -> None:
        async with self.lifecycle:
            if not self.open and self.bug != "stop-not-idempotent":
                return
            self.open = False
            if self.bug == "closed-before-users":
                self.pool.close_all()
                await self.pool.ping()
            await self._end_tasks()
            left = [] if self.bug == "orphan-timer" else self._disarmed()
            while not self.queue.empty():
                left.append(self.queue.get_nowait())
                self.queue.task_done()
            for item in left:
                await self._put_down(item)
            await self.queue.join()
            await self._flush_last()
            if self.bug != "closed-before-users":
                await self.pool.close()
            if self.bug == "stop-not-idempotent":
                del self.tasks

    def _disarmed(self) -> list[int]:
        """Return the items that were to be tried again."""
        for timer in self.timers.values():
            timer.cancel()
        left = list(self.timers)
        self.timers.clear()
        return left

    async def _end_tasks(self) -> None:
        if self.bug == "get-races-stop":
            self.halting.set()
            self.tasks[-1].cancel()
        else:
            for task in self.tasks:
                task.cancel()
        if self.bug == "second-cancel":
            _, slow = await asyncio.wait(self.tasks, timeout=0.0005)
            for task in slow:
                task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    # --- what clients see ---------------------------------------------------------------------------

    async def submit(self, item: int) -> None:
        """Take an item on, and return once it is safe.

        Raises:
            Closed: the service has stopped, or is about to.
            ConnectionError: its configuration cannot be had.
        """
        await self.configured()
        if not self.open:
            raise Closed
        answer = self.answers[item] = asyncio.get_running_loop().create_future()
        self.queue.put_nowait(self.env.accept(item))
        await answer

    def _answer(self, item: Any) -> None:
        answer = self.answers.pop(item, None)
        if answer is not None and not answer.done():
            answer.set_result(None)

    async def configured(self) -> dict[str, int]:
        """Return the configuration; the first who asks loads it, the others wait for that."""
        while self.configuration is None:
            if self.loading is not None:
                await asyncio.wait([self.loading])
                continue
            loading = self.loading = asyncio.get_running_loop().create_future()
            try:
                self.configuration = await self.source()
            except BaseException:
                if self.bug == "coalescing-deadlock":
                    raise
                self.loading = None
                loading.set_result(None)  # one of those who wait is now the first
                raise
            self.loading = None
            loading.set_result(None)
        return self.configuration

    # --- the work -----------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            if self.bug == "get-races-stop":
                taken = await self._get_or_halt()
                if taken is None:
                    return
                item = taken
            else:
                item = await self.queue.get()
            if self.bug == "taken-then-cancelled":
                await self.pool.ping()
            try:
                await self._handle(item)
            except asyncio.CancelledError:
                if self.bug == "spawned-by-cancel":
                    asyncio.create_task(self.sink([f"gone at {item}"]), name="report")  # noqa: RUF006
                if self.bug != "swallowed-cancel":
                    raise
            finally:
                self.queue.task_done()

    async def _get_or_halt(self) -> int | None:
        if self.halting.is_set():
            return None
        get = asyncio.ensure_future(self.queue.get())
        halt = asyncio.ensure_future(self.halting.wait())
        try:
            await asyncio.wait([get, halt], return_when=asyncio.FIRST_COMPLETED)
            return None if halt.done() else get.result()
        finally:
            get.cancel()
            halt.cancel()

    async def _handle(self, item: int) -> None:
        """Store an item, or see to it that it is stored later."""
        try:
            if self.bug == "shield-forgotten":
                await asyncio.shield(self._store(item))
            else:
                await self._store(item)
        except asyncio.CancelledError:
            if self.bug != "shield-forgotten":
                await self._put_down(item)
            raise
        except ConnectionError:
            if self.bug == "swallowed-cancel-in-cleanup":
                with contextlib.suppress(BaseException):
                    await self.pool.ping()
            self._try_later(item)
            return
        if len(self.buffer) >= FULL:
            await self._flush()

    async def _store(self, item: int) -> None:
        async with self.pool.connection() as connection:
            connection.use()
            await self.db(item)
            connection.use()
            await self.commit()
        self.env.finish(item)  # no await from here on: it is stored, and must leave its record
        self._answer(item)
        self.buffer.append(self.env.accept(f"record of {item}"))
        self.filled.set()

    def _try_later(self, item: int) -> None:
        self.failures[item] = self.failures.get(item, 0) + 1
        if self.failures[item] >= ATTEMPTS:
            self.env.drop(item, "it could not be stored")
            self._answer(item)
            return
        self.timers[item] = asyncio.get_running_loop().call_later(BACKOFF, self._try_again, item)

    def _try_again(self, item: int) -> None:
        self.timers.pop(item, None)
        self.queue.put_nowait(item)

    async def _put_down(self, item: Any) -> None:
        """Put what is not done into the journal."""
        try:
            await self.journal(item)
        except ConnectionError:
            self.env.drop(item, "the journal is down")
        else:
            self.env.finish(item)
        if self.bug != "unanswered":
            self._answer(item)

    # --- the records --------------------------------------------------------------------------------

    async def _flush_often(self) -> None:
        while True:
            await self.filled.wait()
            await asyncio.sleep(FLUSHED_AFTER)
            await self._flush()
            if not self.buffer:
                self.filled.clear()

    async def _flush_last(self) -> None:
        for _ in range(ATTEMPTS):
            await self._flush()
        while self.buffer:
            await self._put_down(self.buffer.pop(0))

    async def _flush(self) -> None:
        """Hand all records over; those of a flush that fails stay where they were."""
        with contextlib.suppress(ConnectionError):
            if self.bug == "lock-held":
                await self.flushing.acquire()
                await self._flush_batch()
                self.flushing.release()
                return
            async with self.flushing:
                await self._flush_batch()

    async def _flush_batch(self) -> None:
        if not self.buffer:
            return
        batch, self.buffer = self.buffer, []
        if self.bug == "buffer-lost-in-gap":
            await asyncio.sleep(0)
        kept: tuple[type[BaseException], ...] = (BaseException,)
        if self.bug == "buffer-lost-on-cancel":
            kept = (Exception,)
        if self.bug == "batch-lost-on-fault":
            kept = (asyncio.CancelledError,)
        try:
            await self.sink(batch)
        except kept:
            self.buffer[:0] = batch
            raise
        for record in batch:
            self.env.finish(record)


async def carried_out(task: asyncio.Task[None]) -> None:
    """Wait for a task to end, however often who waits is cancelled; that comes to its right afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()
