"""A small bank: transfers lock two accounts, clearings are queued, and rates come from the fastest source."""

import asyncio
from collections.abc import Callable, Coroutine


class Account:
    """Holds money; whoever changes it takes its lock."""

    def __init__(self, balance: int) -> None:
        self.balance = balance
        self.lock = asyncio.Lock()


async def transfer(source: Account, target: Account, amount: int) -> None:
    async with source.lock:
        await asyncio.sleep(0)  # asks the risk department
        async with target.lock:
            source.balance -= amount
            target.balance += amount


class Clearing:
    """Settles payments in the order in which they come."""

    def __init__(self) -> None:
        self.settled: list[int] = []
        self._payments: asyncio.Queue[int] = asyncio.Queue()
        self._worker = asyncio.create_task(self._settle(), name="clearing")

    def pay(self, amount: int) -> None:
        self._payments.put_nowait(amount)

    async def drained(self) -> None:
        await self._payments.join()

    async def _settle(self) -> None:
        while True:
            amount = await self._payments.get()
            self.settled.append(amount)
            self._payments.task_done()


async def fastest_rate(sources: dict[str, Callable[[], Coroutine[None, None, float]]]) -> float:
    tasks = []
    for name, source in sources.items():
        tasks.append(asyncio.create_task(source(), name=name))
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return done.pop().result()
