"""A service on shaky ground: a pool, a cache, a task manager, a health loop, and the order of its end.

- C4: a permit is lost if the connection behind it cannot be made, or if its maker is cancelled.
- C4: a request takes a second connection while it holds one.
- C6: the second requester of a key waits for the first one under the lock, and nobody answers if that is gone.
- C7: the registry is keyed by name: a namesake hides the earlier task.
- C7: `wait_for(gather(...))` is no bound if a child does not heed its cancellation.
- C10: the database is closed before those who use it have ended.
- C1: nobody keeps the health loop; and what start() has opened stays open if start() does not come to its end.
- C3: each cache begins a loop of its own, and has no end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, NoReturn

from pytest_taskleak.storm.env import Env, Resource

Task = asyncio.Task[Any]


async def end(tasks: list[Task]) -> None:
    """Cancel tasks, and wait for them."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


# --- C4: the pool ----------------------------------------------------------------------------------------


class LeakingPool:
    """Two connections, made when they are needed; as it was published."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.permits = asyncio.Semaphore(2)
        self.dial = env.dep("dial", latency=(0.01, 0.01))
        self.idle: list[Resource] = []

    async def connect(self) -> Resource:
        """Make a connection."""
        await self.dial()
        return self.env.resource("connection").open()

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Resource]:
        """Lend a connection."""
        await self.permits.acquire()
        held = self.idle.pop() if self.idle else await self.connect()
        try:
            yield held
        finally:
            self.idle.append(held)
            self.permits.release()

    def close(self) -> None:
        """Close what is not lent."""
        while self.idle:
            self.idle.pop().close()


class CarefulPool(LeakingPool):
    """Gives a permit back on every path."""

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Resource]:
        """Lend a connection."""
        async with self.permits:
            held = self.idle.pop() if self.idle else await self.connect()
            try:
                yield held
            finally:
                self.idle.append(held)


class Querying:
    """Four jobs that share a pool.

    Parameters:
        env: the world.
        pool: the sort of pool.
    """

    def __init__(self, env: Env, pool: type[LeakingPool]) -> None:
        self.pool = pool(env)
        self.tasks: list[Task] = []

    async def start(self) -> None:
        """Begin the jobs."""
        self.tasks = [asyncio.create_task(self.job(), name=f"job-{n}") for n in range(4)]

    async def job(self) -> None:
        """Ask something."""
        with contextlib.suppress(ConnectionError):
            async with self.pool.connection() as held:
                held.use()
                await asyncio.sleep(0.02)
                held.use()

    async def stop(self) -> None:
        """End the jobs, then the pool."""
        await end(self.tasks)
        self.pool.close()


class Nesting:
    """Answers with two connections out of two, taken one after the other; as it was published."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.permits = asyncio.Semaphore(2)

    async def start(self) -> None:
        """Be ready."""

    @contextlib.asynccontextmanager
    async def permit(self) -> AsyncIterator[None]:
        """Lend a connection, or give up after 30 seconds."""
        async with asyncio.timeout(30):
            await self.permits.acquire()
        try:
            yield
        finally:
            self.permits.release()

    async def answer(self) -> None:
        """Look up a row, and for it another one."""
        async with self.permit():
            await asyncio.sleep(0.01)
            await self.look_up()

    async def look_up(self) -> None:
        """Look up a row on a connection."""
        async with self.permit():
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Be done."""


class Reusing(Nesting):
    """Looks everything up on the connection that it has."""

    async def look_up(self) -> None:
        """Look up a row."""
        await asyncio.sleep(0.01)


def two_callers(within: float | None) -> Callable[[Nesting, Env], None]:
    """Return a load: two callers ask at once.

    Parameters:
        within: seconds in which each wants its answer.
    """

    async def ask(service: Nesting) -> None:
        with contextlib.suppress(TimeoutError):
            await service.answer()

    def load(service: Nesting, env: Env) -> None:
        for _ in range(2):
            env.client(ask(service), within=within)

    return load


# --- C6: the cache ---------------------------------------------------------------------------------------


class Coalescing:
    """Computes each key once for all who ask; as it was published."""

    def __init__(self, env: Env) -> None:
        self.compute = env.dep("compute", latency=(0.01, 0.01))
        self.lock = asyncio.Lock()
        self.coming: dict[str, asyncio.Future[Any]] = {}

    async def start(self) -> None:
        """Be ready."""

    async def get(self, key: str) -> Any:
        """Return the value of a key."""
        async with self.lock:
            if key in self.coming:
                return await self.coming[key]
            coming = self.coming[key] = asyncio.get_running_loop().create_future()
        try:
            value = await self.compute(key)
        except Exception as error:
            coming.set_exception(error)
            coming.exception()  # there may be nobody else who asks
            raise
        else:
            coming.set_result(value)
            return value
        finally:
            async with self.lock:
                del self.coming[key]

    async def stop(self) -> None:
        """Be done."""


class Sharing:
    """Computes each key in a task of its own, for which whoever asks may wait; no lock is needed."""

    def __init__(self, env: Env) -> None:
        self.compute = env.dep("compute", latency=(0.01, 0.01))
        self.coming: dict[str, Task] = {}
        self.closed = False

    async def start(self) -> None:
        """Be ready."""

    async def get(self, key: str) -> Any:
        """Return the value of a key.

        Raises:
            ConnectionError: the service ends.
        """
        task = self.coming.get(key)
        if task is None:
            if self.closed:
                raise ConnectionError("the service has ended")
            task = self.coming[key] = asyncio.create_task(self.compute(key), name=f"compute-{key}")
            task.add_done_callback(lambda task: self.done(key, task))
        return await asyncio.shield(task)

    def done(self, key: str, task: Task) -> None:
        """Forget a computation; if it failed, those who asked have heard of it."""
        del self.coming[key]
        if not task.cancelled():
            task.exception()

    async def stop(self) -> None:
        """Begin nothing more, and wait for what has begun."""
        self.closed = True
        if self.coming:
            await asyncio.wait(list(self.coming.values()))


def three_callers(service: Coalescing | Sharing, env: Env) -> None:
    """Let three callers ask for one key at once."""
    for _ in range(3):
        env.client(asking(service))


async def asking(service: Coalescing | Sharing) -> None:
    """Ask for the key; a failure is an answer, too."""
    with contextlib.suppress(ConnectionError):
        await service.get("key")


# --- C7: the task manager --------------------------------------------------------------------------------


class ByName:
    """Knows its tasks by name; as it was published."""

    def __init__(self, env: Env) -> None:
        self.tasks: dict[Any, Task] = {}

    async def start(self) -> None:
        """Begin two tasks of one name."""
        self.create("refresh")
        self.create("refresh")

    def create(self, name: str) -> None:
        """Begin a task."""
        self.tasks[name] = asyncio.create_task(asyncio.sleep(3600), name=name)

    async def stop(self) -> None:
        """End all tasks."""
        await end(list(self.tasks.values()))


class ByTask(ByName):
    """Knows its tasks by themselves."""

    def create(self, name: str) -> None:
        """Begin a task."""
        task = asyncio.create_task(asyncio.sleep(3600), name=name)
        self.tasks[task] = task


class WaitsFor:
    """Gives a child that takes 12 seconds for its end 5 seconds; as it was published."""

    def __init__(self, env: Env) -> None:
        self.tasks: list[Task] = []

    async def start(self) -> None:
        """Begin the child."""
        self.tasks = [asyncio.create_task(self.stubborn(), name="stubborn")]

    async def stubborn(self) -> None:
        """Heed no cancellation for 12 seconds from the first one on."""
        loop = asyncio.get_running_loop()
        try:
            await asyncio.Event().wait()
        finally:
            over = loop.time() + 12
            while loop.time() < over:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(over - loop.time())

    async def stop(self) -> None:
        """Cancel, and wait for at most 5 seconds, as it seems."""
        for task in self.tasks:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*self.tasks, return_exceptions=True), 5)


class Waits(WaitsFor):
    """Waits for at most 5 seconds."""

    async def stop(self) -> None:
        """Cancel, and wait for at most 5 seconds; what is still there is named."""
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=5)


# --- C10: the order of the end ---------------------------------------------------------------------------


class ClosedFirst:
    """Closes its database, then ends its workers; as it was published."""

    def __init__(self, env: Env) -> None:
        self.database = env.resource("database")
        self.flushed = env.dep("flush")
        self.tasks: list[Task] = []

    async def start(self) -> None:
        """Open the database and begin."""
        self.database.open()
        self.tasks = [asyncio.create_task(self.work(), name="worker")]

    async def work(self) -> None:
        """Work, and write down at the end how far it came."""
        try:
            for _ in range(3):
                self.database.use()
                await asyncio.sleep(0.1)
            await asyncio.Event().wait()
        finally:
            self.database.use()

    async def stop(self) -> None:
        """End everything."""
        if self.database.is_open:
            self.database.close()
        await end(self.tasks)


class ClosedLast(ClosedFirst):
    """Closes its database when nobody uses it any more."""

    async def stop(self) -> None:
        """End everything."""
        await end(self.tasks)
        if self.database.is_open:
            self.database.close()


# --- C1: the start ---------------------------------------------------------------------------------------


class Unwatched:
    """Opens a connection, looks whether it answers, and keeps looking; as it was published."""

    def __init__(self, env: Env) -> None:
        self.connection = env.resource("connection")
        self.ping = env.dep("ping", latency=(0.01, 0.01))

    async def start(self) -> None:
        """Open it."""
        self.connection.open()
        await self.ping()
        asyncio.create_task(self.watch(), name="health")

    async def watch(self) -> None:
        """Look every five seconds."""
        while True:
            await asyncio.sleep(5)
            self.connection.use()

    async def stop(self) -> None:
        """Close it."""
        if self.connection.is_open:
            self.connection.close()


class Watched(Unwatched):
    """Keeps its loop, cleans up if it cannot start, and lets an end wait for the start."""

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self.life = asyncio.Lock()
        self.tasks: list[Task] = []

    async def start(self) -> None:
        """Open it."""
        async with self.life:
            self.connection.open()
            try:
                await self.ping()
            except BaseException:
                self.connection.close()
                raise
            self.tasks = [asyncio.create_task(self.watch(), name="health")]

    async def stop(self) -> None:
        """End the loop, then close it."""
        async with self.life:
            await end(self.tasks)
            await super().stop()


# --- C3: the caches --------------------------------------------------------------------------------------


class Cache:
    """Cleans itself each minute."""

    def __init__(self) -> None:
        self.cleaning = asyncio.create_task(self.clean(), name="cleaning")

    async def clean(self) -> NoReturn:
        """Clean it, for ever."""
        while True:
            await asyncio.sleep(60)


class CachePerInstance:
    """Makes a cache, and lets it be; as it was published."""

    def __init__(self, env: Env) -> None:
        self.caches: list[Cache] = []

    async def start(self) -> None:
        """Make a cache."""
        self.caches.append(Cache())

    async def stop(self) -> None:
        """Drop it: its loop is not told."""
        self.caches.clear()


class ClosedCaches(CachePerInstance):
    """Ends the loops of its caches."""

    async def stop(self) -> None:
        """Drop it."""
        await end([cache.cleaning for cache in self.caches])
        self.caches.clear()
