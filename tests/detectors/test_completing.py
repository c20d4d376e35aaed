"""Whose code would complete a wait, by which call, and on which line?"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import anyio
import pytest

from pytest_taskleak.adapt import asyncio_, completing
from pytest_taskleak.adapt.completing import completing_calls, would_complete

Loop = asyncio.AbstractEventLoop
Gate = asyncio.Future[Any]
SHARED = asyncio.Event()


@functools.cache
def lines() -> dict[str, int]:
    """Return the lines of this file that end in `# @mark`."""
    with open(__file__, encoding="utf-8") as file:
        marked = [(row.rpartition("# @"), number) for number, row in enumerate(file, 1)]
    return {mark.strip(): number for (_, found, mark), number in marked if found}


@contextlib.contextmanager
def running(loop: Loop, *coros: Coroutine[Any, Any, Any]) -> Iterator[list[asyncio.Task[Any]]]:
    """Run coroutines until they wait, and end them afterwards."""
    tasks = [loop.create_task(coro) for coro in coros]
    asyncio_.turn(loop, 8)
    assert not any(task.done() for task in tasks)
    yield tasks
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.wait(tasks))


@pytest.fixture
def gate(loop: Loop) -> Gate:
    return loop.create_future()


def told(task: Any, thing: Any, operation: str) -> tuple[str, int] | None:
    found = would_complete(task, thing, operation)
    return None if found is None else (found[0], found[2])


def test_queue(loop: Loop, gate: Gate) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def work() -> None:
        await queue.put(0)
        await gate
        await queue.put(1)  # @put
        queue.task_done()  # @done

    async def other() -> None:
        words = {"queue": queue}
        await gate
        words.get("queue")

    with running(loop, work(), other()) as (producer, bystander):
        assert told(producer, queue, "queue-get") == ("put", lines()["put"]), "what comes next is told first"
        assert told(producer, queue, "queue-join") == ("task_done", lines()["done"])
        assert told(producer, queue, "queue-put") is None
        assert told(producer, asyncio.Queue(), "queue-get") is None
        assert told(bystander, queue, "queue-get") is None
        assert told(bystander, queue, "queue-put") is None, "a dictionary has a `get` too"
        found = would_complete(producer, queue, "queue-get")
        assert found is not None
        assert found[1].co_name == "work"


def test_loop_that_has_its_call_above(loop: Loop) -> None:
    full: asyncio.Queue[int] = asyncio.Queue(1)
    wake = asyncio.Event()

    async def work() -> None:
        while True:
            full.put_nowait(1)  # @above
            await wake.wait()

    with running(loop, work()) as (task,):
        assert told(task, full, "queue-get") == ("put_nowait", lines()["above"])


def test_call_over_several_lines(loop: Loop, gate: Gate) -> None:
    class Bus:
        def __init__(self) -> None:
            self.queue: asyncio.Queue[int] = asyncio.Queue()

    async def work(bus: Bus) -> None:
        await gate
        await (
            bus.queue
            .put(1)  # @several
        )  # fmt: skip

    bus = Bus()
    with running(loop, work(bus)) as (task,):
        assert told(task, bus.queue, "queue-get") == ("put", lines()["several"])


def test_future_event_condition_barrier(loop: Loop, gate: Gate) -> None:
    future: asyncio.Future[int] = loop.create_future()
    event, condition, barrier = asyncio.Event(), asyncio.Condition(), asyncio.Barrier(2)

    async def work() -> None:
        await gate
        future.set_result(1)  # @result
        event.set()  # @set
        async with condition:
            condition.notify_all()  # @notify
        await barrier.wait()  # @barrier

    with running(loop, work()) as (task,):
        assert told(task, future, "future") == ("set_result", lines()["result"])
        assert told(task, event, "event") == ("set", lines()["set"])
        assert told(task, condition, "condition") == ("notify_all", lines()["notify"])
        assert told(task, barrier, "barrier") == ("wait", lines()["barrier"])
        assert told(task, gate, "future") is None, "it waits for it"


def test_end_of_a_block(loop: Loop, gate: Gate) -> None:
    permits, barrier = asyncio.Semaphore(0), asyncio.Barrier(2)

    async def work() -> None:
        await gate
        async with permits:  # @permits
            pass
        async with barrier:  # @block
            pass

    with running(loop, work()) as (task,):
        assert told(task, permits, "semaphore") == ("release", lines()["permits"])
        assert told(task, barrier, "barrier") == ("wait", lines()["block"])


def test_memory_stream(loop: Loop, gate: Gate) -> None:
    send, receive = anyio.create_memory_object_stream[int](1)

    async def work() -> None:
        with send:
            await gate
            await send.send(1)  # @send

    async def closes() -> None:
        async with send.clone() as end:  # @closes
            await gate
        del end

    async def reads() -> None:
        await gate
        receive.receive_nowait()  # @receive

    with running(loop, work(), closes(), reads()) as (sender, closer, reader):
        assert told(sender, receive, "memory-receive") == ("send", lines()["send"])
        assert told(closer, receive, "memory-receive") is None, "what enters the block is computed"
        assert told(reader, send, "memory-send") == ("receive_nowait", lines()["receive"])
        assert told(reader, receive, "memory-receive") is None
    receive.close()
    send.close()


def test_callbacks_and_nested_code(loop: Loop, gate: Gate) -> None:
    event, later = asyncio.Event(), loop.create_future()

    async def work() -> None:
        handles = [loop.call_later(3600, event.set)]  # @method
        handles.append(loop.call_later(3600, lambda: later.set_result(1)))  # @lambda
        try:
            await gate
        finally:
            for handle in handles:
                handle.cancel()

    with running(loop, work()) as (task,):
        assert told(task, event, "event") == ("set", lines()["method"])
        assert told(task, later, "future") == ("set_result", lines()["lambda"])


class Service:
    """Hides its queue behind methods."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.ready = asyncio.Event()
        self.by_name = {"a": self.queue}

    async def publish(self, item: int) -> None:
        await self.queue.put(item)  # @publish

    def start(self) -> None:
        self.ready.set()  # @start

    async def run(self, gate: Gate) -> None:
        await gate
        self.start()
        await self.publish(1)

    async def run_by_name(self, gate: Gate) -> None:
        await gate
        await self.by_name["a"].put(1)  # @by-name


def announce() -> None:
    SHARED.set()  # @announce


async def announcing(gate: Gate) -> None:
    await gate
    announce()


def test_methods_that_are_called(loop: Loop, gate: Gate) -> None:
    service = Service()

    async def outside(of: Service) -> None:
        await gate
        await of.publish(2)

    with running(loop, service.run(gate), outside(service), announcing(gate)) as (inner, outer, other):
        for task in (inner, outer):
            assert told(task, service.queue, "queue-get") == ("put", lines()["publish"])
        assert told(inner, service.ready, "event") == ("set", lines()["start"])
        assert told(outer, service.ready, "event") is None
        assert told(other, SHARED, "event") == ("set", lines()["announce"])
        found = would_complete(inner, service.queue, "queue-get")
        assert found is not None
        assert found[1].co_qualname == "Service.publish"


def test_owner_that_is_computed(loop: Loop, gate: Gate) -> None:
    service, stranger = Service(), Service()

    async def each() -> None:
        for queue in [stranger.queue, service.queue]:
            await gate
            await queue.put(1)  # @each

    async def pairs(named: list[tuple[str, asyncio.Queue[int]]]) -> None:
        for _, queue in named:
            await gate
            await queue.put(1)  # @pairs

    async def one() -> None:
        queue, other = stranger.queue, service.queue
        await gate
        await queue.put(1)
        del other

    async def rows(table: dict[str, asyncio.Queue[int]]) -> None:
        await gate
        for row in table.values():
            row.put_nowait(1)  # @row

    named = [("a", stranger.queue), ("b", service.queue)]
    work = (service.run_by_name(gate), each(), rows(service.by_name), pairs(named), one())
    with running(loop, *work) as (by_name, looping, table, paired, single):
        assert told(paired, service.queue, "queue-get") == ("put", lines()["pairs"])
        assert told(single, service.queue, "queue-get") is None, "it puts into another one"
        assert told(by_name, service.queue, "queue-get") == ("put", lines()["by-name"])
        assert told(looping, service.queue, "queue-get") == ("put", lines()["each"])
        assert told(table, service.queue, "queue-get") == ("put_nowait", lines()["row"])
        assert told(by_name, stranger.queue, "queue-get") is None, "it does not lead there"
        assert told(table, stranger.queue, "queue-get") is None


def test_search_is_bounded(loop: Loop, gate: Gate) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    far: Any = queue
    for _ in range(2 * completing.MOST_OBJECTS):
        far = [far]

    async def work(things: Any, many: Any) -> None:
        await gate
        things[0].put(1)
        many[0].put(1)

    many = [object() for _ in range(2 * completing.MOST_ITEMS)]
    with running(loop, work(far, [*many, queue]), work([[queue]], None)) as (deep, near):
        assert told(deep, queue, "queue-get") is None
        assert told(near, queue, "queue-get") is not None


def test_another_task_is_not_searched(loop: Loop, gate: Gate) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def holder(own: Any) -> None:
        await gate
        del own

    async def work(task: asyncio.Task[None], things: list[Any]) -> None:
        await gate
        things[0].put(1)
        del task

    with running(loop, holder(queue)) as (first,), running(loop, work(first, [])) as (second,):
        assert told(second, queue, "queue-get") is None


def test_task_that_has_not_begun(loop: Loop) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def work() -> None:
        await queue.put(1)  # @unbegun

    task = loop.create_task(work())
    assert told(task, queue, "queue-get") == ("put", lines()["unbegun"])
    loop.run_until_complete(task)
    assert told(task, queue, "queue-get") is None


def test_odd_questions(loop: Loop, gate: Gate) -> None:
    async def work() -> None:
        await gate

    with running(loop, work()) as (task,):
        assert told(task, object(), "sleep") is None
        assert told(None, object(), "event") is None
        assert told(object(), None, "event") is None
        assert told(task, None, "event") is None


def test_no_code_of_the_user_is_run(loop: Loop, gate: Gate) -> None:
    ran: list[str] = []
    queue: asyncio.Queue[int] = asyncio.Queue()

    class Shy:
        __hash__ = None  # type: ignore[assignment]
        inner = property(lambda self: ran.append("inner"))

        def __getattr__(self, name: str) -> Any:
            ran.append(name)

        def __eq__(self, other: object) -> bool:
            ran.append("==")
            return True

        def __len__(self) -> int:
            ran.append("len")
            return 0

    class List(list[Any]):
        def __len__(self) -> int:
            ran.append("len")
            return 0

    async def work(shy: Any) -> None:
        await gate
        shy.inner.put(1)
        shy.other.put(1)
        shy.put(1)
        shy[0].put(1)

    with running(loop, work(Shy()), work(List([Shy(), {1: queue}]))) as (one, two):
        assert told(one, queue, "queue-get") is None
        assert told(two, queue, "queue-get") is not None
    assert ran == []


def test_calls_of_code() -> None:
    async def work(queue: Any, lock: Any, make: Callable[[], Any]) -> None:
        async with lock, make():  # @block-item
            queue.put_nowait(1)  # @calls-put
            make().put(2)  # @calls-computed

        def inner() -> None:
            queue.put(3)  # @calls-inner

        lock.release()  # @calls-release
        inner()

    code = work.__code__
    at = lines()
    assert completing_calls(code, ("put", "put_nowait")) == [
        ("put_nowait", at["calls-put"]), ("put", at["calls-computed"]), ("put", at["calls-inner"]),
    ]  # fmt: skip
    assert completing_calls(code, ("release",)) == [
        ("release", at["block-item"]), ("release", at["block-item"]), ("release", at["calls-release"]),
    ]  # fmt: skip
    assert completing_calls(code, ("set",)) == []
    assert completing_calls(code, ()) == []
