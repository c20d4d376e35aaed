"""What is proven of tasks that everybody can judge by reading, and what of objects that are hard to look at?"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
import types
import unittest
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from pytest_taskleak.explain.proof import Proof, prove

Build = Callable[[], Awaitable[None]]
MODULE: dict[str, Any] = {}
"""Global names of a program."""
TURNS = 6


class Bench:
    """A loop in which something is left, and looked at."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.tasks: list[asyncio.Task[Any]] = []

    def leave(self, build: Build) -> None:
        """Run a function that leaves tasks, and let everybody come to rest."""
        self.loop.run_until_complete(build())
        self.turn()
        self.tasks += asyncio.all_tasks(self.loop)

    def turn(self) -> None:
        """Turn the loop a few times."""
        for _ in range(TURNS):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def proofs(self, *own: Any) -> dict[str, Proof]:
        """Return what is proven of each task."""
        found = prove(self.tasks, own=(self.tasks, *own))
        return {task.get_name(): found[id(task)] for task in self.tasks}

    def verdicts(self, *own: Any) -> dict[str, str]:
        """Return the verdict on each task."""
        return {name: proof.verdict for name, proof in self.proofs(*own).items()}

    def clear(self) -> None:
        """End every task, and close the loop."""
        MODULE.clear()
        tasks, self.tasks = [*self.tasks], []
        for task in tasks:
            break_cycle(task)
            self.turn()
        for _ in range(3):  # a task may swallow the first
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.turn()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        assert asyncio.all_tasks(self.loop) == set()
        self.loop.close()


def break_cycle(task: Any) -> None:
    """Wake a task that awaits itself by way of others: cancel() would never come to an end."""
    loop = task.get_loop()
    seen: list[Any] = []
    waiter: Any = task
    while isinstance(waiter, asyncio.Task) and waiter not in seen:
        seen.append(waiter)
        waiter = waiter._fut_waiter  # type: ignore[attr-defined,unused-ignore]
    if waiter is not task:
        return
    awaited = task._fut_waiter
    for callback, _ in awaited._callbacks:
        if getattr(callback, "__self__", None) is task:
            over = loop.create_future()
            over.cancel()
            awaited.remove_done_callback(callback)
            loop.call_soon(callback, over)
            return


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A bench that is cleared."""
    made = Bench()
    yield made
    made.clear()


def spawn(coroutine: Any, name: str) -> asyncio.Task[Any]:
    """Start a task that nobody holds."""
    return asyncio.get_running_loop().create_task(coroutine, name=name)


async def waits(thing: Any, *held: Any) -> None:
    """Wait for an event, a queue, a future or a task, and hold other things meanwhile."""
    if isinstance(thing, asyncio.Event):
        await thing.wait()
    elif isinstance(thing, asyncio.Queue):
        await thing.get()
    else:
        await thing


def left(make: Callable[[asyncio.Event], Any]) -> Build:
    """Leave task `t`, which awaits an event and holds what `make` makes of that."""

    async def build() -> None:
        event = asyncio.Event()
        spawn(waits(event, make(event)), "t")

    return build


# The twelve samples


async def locks_crossed(locks: list[asyncio.Lock]) -> None:
    """Two tasks take two locks in opposite order."""

    async def transfer(first: asyncio.Lock, second: asyncio.Lock) -> None:
        async with first:
            await asyncio.sleep(0)
            async with second:
                pass

    spawn(transfer(*locks), "ab")
    spawn(transfer(*reversed(locks)), "ba")


async def local_locks() -> None:
    """Nobody else has the locks."""
    await locks_crossed([asyncio.Lock(), asyncio.Lock()])


async def module_locks() -> None:
    """A module has the locks."""
    MODULE["locks"] = [asyncio.Lock(), asyncio.Lock()]
    await locks_crossed(MODULE["locks"])


async def producer_died() -> None:
    """A consumer waits for a queue that nobody fills any more."""
    queue: asyncio.Queue[int] = asyncio.Queue()
    spawn(waits(queue), "consumer")
    with contextlib.suppress(ValueError):
        raise ValueError


async def gather_sibling() -> None:
    """A task gathers two that wait for what only itself could set."""

    async def collect() -> None:
        gate = asyncio.Event()
        await asyncio.gather(spawn(waits(gate), "one"), spawn(waits(gate), "two"))
        gate.set()

    spawn(collect(), "collect")


async def pool_exhausted() -> None:
    """Three requests take two permits each of a pool of a module."""
    MODULE["pool"] = asyncio.Semaphore(2)

    async def request() -> None:
        async with MODULE["pool"]:
            await asyncio.sleep(0)
            async with MODULE["pool"]:
                pass

    for number in range(3):
        spawn(request(), f"request-{number}")


async def never_set() -> None:
    """A service waits for an event of its own that nobody else knows."""

    class Service:
        def __init__(self) -> None:
            self.ready = asyncio.Event()

        async def run(self) -> None:
            await self.ready.wait()

    spawn(Service().run(), "service")


async def future_dropped() -> None:
    """A reply whose sender forgot it."""
    spawn(waits(asyncio.get_running_loop().create_future()), "rpc")


async def swallowed() -> None:
    """A task that went on in spite of cancel()."""

    async def stubborn() -> None:
        inbox: asyncio.Queue[int] = asyncio.Queue()
        with contextlib.suppress(asyncio.CancelledError):
            await inbox.get()
        await inbox.get()

    task = spawn(stubborn(), "stubborn")
    await asyncio.sleep(0)
    task.cancel()


async def stampede() -> None:
    """Three wait for a computation that will not be done."""

    class Cache:
        def __init__(self) -> None:
            self.inflight: dict[str, asyncio.Future[int]] = {}

        async def get(self, key: str) -> int:
            if key not in self.inflight:
                self.inflight[key] = asyncio.get_running_loop().create_future()
            return await self.inflight[key]

    cache = Cache()
    for number in range(3):
        spawn(cache.get("user:7"), f"get-{number}")


async def reentry() -> None:
    """A task takes a lock that it has."""

    async def reenter() -> None:
        lock = asyncio.Lock()
        async with lock, lock:
            pass

    spawn(reenter(), "reenter")


async def mutual() -> None:
    """Two tasks await each other."""
    box: dict[str, Any] = {}

    async def other(name: str) -> None:
        await asyncio.sleep(0)
        await box[name]

    box["y"] = spawn(other("x"), "y")
    box["x"] = spawn(other("y"), "x")


async def lock_and_queue() -> None:
    """One waits for a lock, its holder for a queue that the first would fill."""
    lock = asyncio.Lock()
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def one() -> None:
        async with lock:
            pass
        queue.put_nowait(1)

    async def two() -> None:
        async with lock:
            await queue.get()

    spawn(two(), "B")
    spawn(one(), "A")


async def holder_ended() -> None:
    """Who took the lock ended without giving it back."""
    lock = asyncio.Lock()
    await lock.acquire()

    async def late() -> None:
        async with lock:
            pass

    spawn(late(), "late")


STUCK = [
    (local_locks, {"ab", "ba"}),
    (producer_died, {"consumer"}),
    (gather_sibling, {"collect", "one", "two"}),
    (never_set, {"service"}),
    (future_dropped, {"rpc"}),
    (swallowed, {"stubborn"}),
    (stampede, {"get-0", "get-1", "get-2"}),
    (reentry, {"reenter"}),
    (mutual, {"x", "y"}),
    (lock_and_queue, {"A", "B"}),
    (holder_ended, {"late"}),
]


@pytest.mark.parametrize(("build", "names"), STUCK, ids=lambda x: getattr(x, "__name__", ""))
def test_what_nobody_can_wake_is_proven(bench: Bench, build: Build, names: set[str]) -> None:
    bench.leave(build)
    assert bench.verdicts() == dict.fromkeys(names, "stuck")
    assert all(proof.sealed for proof in bench.proofs().values())


@pytest.mark.parametrize("build", [module_locks, pool_exhausted], ids=lambda x: x.__name__)
def test_what_a_module_has_is_within_reach(bench: Bench, build: Build) -> None:
    bench.leave(build)
    assert set(bench.verdicts().values()) == {"live"}


def test_sealed_is_who_is_held_by_nobody_even_by_way_of_others(bench: Bench) -> None:
    async def build() -> None:
        held = spawn(waits(asyncio.Event()), "held by a task")
        MODULE["task"] = spawn(waits(asyncio.Event(), held), "held")
        try:
            raise KeyError
        except KeyError as error:
            MODULE["error"] = error
            by_frame = spawn(waits(asyncio.Event(), error), "held by a frame")
            assert by_frame is not None
        spawn(waits(asyncio.Event()), "alone")

    bench.leave(build)
    assert {name for name, proof in bench.proofs().items() if proof.verdict == "stuck"} == {
        "held", "held by a task", "held by a frame", "alone",
    }  # fmt: skip
    assert {name for name, proof in bench.proofs().items() if proof.sealed} == {"alone"}


# What is decided at once


async def sleeper() -> None:
    """Sleep."""
    spawn(asyncio.sleep(3600), "t")


async def transport() -> None:
    """Wait for a connection that may come."""
    server = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0)
    MODULE["server"] = server
    spawn(server.serve_forever(), "t")


@pytest.mark.parametrize("build", [sleeper, transport], ids=lambda x: x.__name__)
def test_what_the_loop_will_wake_is_live(bench: Bench, build: Build) -> None:
    bench.leave(build)
    assert bench.verdicts() == {"t": "live"}
    if "server" in MODULE:
        MODULE["server"].close()


def test_who_can_run_is_ready(bench: Bench) -> None:
    async def build() -> None:
        event = MODULE["event"] = asyncio.Event()
        spawn(waits(event), "woken")
        spawn(waits(asyncio.Event()), "cancelled")

    bench.leave(build)
    bench.loop.run_until_complete(asyncio.sleep(0))
    MODULE["event"].set()
    next(task for task in bench.tasks if task.get_name() == "cancelled").cancel()
    bench.tasks.append(bench.loop.create_task(waits(asyncio.Event()), name="fresh"))
    assert bench.verdicts() == dict.fromkeys(("woken", "cancelled", "fresh"), "ready")


@pytest.mark.taskleak(allow="task:*waits")
def test_a_closed_loop_wakes_nobody(bench: Bench) -> None:
    other = Bench()
    other.leave(future_dropped)
    (task,) = other.tasks
    other.tasks.clear()
    other.loop.close()
    assert prove([task])[id(task)].verdict == "closed"
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    coroutine = task.get_coro()
    assert coroutine is not None
    coroutine.close()


# The conditions of soundness


def test_no_object_tells_of_references_that_it_does_not_own(bench: Bench) -> None:
    """S2: what `tp_traverse` reports is counted.  Modules are never traversed: see the facts on 3.12."""
    bench.leave(lock_and_queue)
    gc.collect()
    gc.disable()
    things: list[Any] = []
    try:
        things += [thing for thing in gc.get_objects() if type(thing) is not types.ModuleType]
        told: dict[int, int] = {}
        for start in range(0, len(things), 4000):
            for thing in gc.get_referents(*things[start : start + 4000]):
                told[id(thing)] = told.get(id(thing), 0) + 1
        counts = list(map(sys.getrefcount, things))
        wrong = [
            type(things[place]).__name__
            for place, count in enumerate(counts)
            if told.get(id(things[place]), 0) > count and things[place] is not told
        ]
    finally:
        gc.enable()
        things.clear()
    assert wrong == []


async def in_block(event: asyncio.Event) -> None:
    """Wait in blocks, in a loop, with values on the stack."""
    async with contextlib.AsyncExitStack() as stack:
        for number in [1]:
            print([number, stack, await event.wait()])


async def in_handler(event: asyncio.Event) -> None:
    """Wait while an exception is handled."""
    try:
        raise KeyError(event)
    except KeyError:
        await event.wait()


async def in_generator(event: asyncio.Event) -> None:
    """Wait in an async generator."""

    async def items() -> AsyncIterator[bool]:
        yield await event.wait()

    async for _ in items():
        pass


async def in_shield(event: asyncio.Event) -> None:
    """Wait behind a shield."""
    await asyncio.shield(waits(event))


async def in_group(event: asyncio.Event) -> None:
    """Wait for children."""
    async with asyncio.TaskGroup() as group:
        group.create_task(waits(event))


async def in_wait(event: asyncio.Event) -> None:
    """Wait for the first of two."""
    await asyncio.wait([spawn(waits(event), "one"), spawn(waits(event), "two")])


class Wait:
    """An object that can be awaited."""

    def __init__(self, event: asyncio.Event) -> None:
        self.event = event

    def __await__(self) -> Any:
        return self.event.wait().__await__()


async def in_awaitable(event: asyncio.Event) -> None:
    """Wait by an object of one's own."""
    await Wait(event)


async def in_anext(event: asyncio.Event) -> None:
    """Wait by anext()."""

    async def items() -> AsyncIterator[bool]:
        yield await event.wait()

    await anext(items(), None)


def borrowed(coroutine: Any) -> list[str]:
    """Return the types of what a coroutine refers to more often than it is referred to."""
    todo = [coroutine]
    found = []
    kinds = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)
    while todo:
        refs = gc.get_referents(todo.pop())
        for ref in refs:
            times = sum(other is ref for other in refs)
            if 2 * times > sys.getrefcount(ref) - 2:  # in `refs` as often, in `ref`, and as the argument
                found.append(type(ref).__name__)
        todo += [ref for ref in refs if type(ref) in kinds]
    return found


SHAPES = [waits, in_block, in_handler, in_generator, in_shield, in_group, in_wait, in_awaitable, in_anext]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda x: x.__name__)
def test_a_suspended_coroutine_owns_what_it_refers_to(bench: Bench, shape: Any) -> None:
    """S3: no reference on a suspended stack is borrowed, in whatever form one waits."""

    async def build() -> None:
        spawn(shape(asyncio.Event()), "t")

    bench.leave(build)
    assert not any(borrowed(coroutine) for coroutine in (task.get_coro() for task in bench.tasks))
    assert set(bench.verdicts().values()) == {"stuck"}


def test_a_thread_that_moves_the_only_reference_about_is_not_overlooked(bench: Bench) -> None:
    """S4: nothing changes while it is counted."""
    done = threading.Event()
    first: list[Any] = []

    def move(one: list[Any], two: list[Any]) -> None:
        while not done.is_set():
            two.append(one.pop())
            held = two.pop()
            one.append(held)
            del held

    bench.leave(left(first.append))
    mover = threading.Thread(target=move, args=(first, []))
    mover.start()
    try:
        found = {bench.verdicts()["t"] for _ in range(40)}
    finally:
        done.set()
        mover.join()
    assert found <= {"live", "unknown"}


def test_a_weak_reference_of_a_module_is_a_way(bench: Bench) -> None:
    """S5."""

    def make(event: asyncio.Event) -> None:
        MODULE["weak"] = weakref.ref(event)

    bench.leave(left(make))
    assert bench.verdicts() == {"t": "live"}


class Last:
    """Sets an event when it dies."""

    def __init__(self, event: asyncio.Event) -> None:
        self.event = event

    def __del__(self) -> None:
        self.event.set()


@pytest.mark.parametrize(
    ("make", "verdict"),
    [
        (weakref.ref, "stuck"),
        (lambda event: weakref.WeakSet([event]), "stuck"),
        (lambda event: [event, threading.local()], "stuck"),
        (Last, "live"),
        (lambda event: MODULE.setdefault("proxy", weakref.proxy(event)), "live"),
        (lambda event: MODULE.setdefault("set", weakref.WeakSet([event])), "live"),
        (lambda event: weakref.finalize(MODULE.setdefault("key", Last), event.set), "live"),
    ],
    ids=["weak", "weak set", "local", "finalizer", "proxy of others", "weak set of others", "finalize"],
)
def test_weak_references_and_finalizers_count_where_somebody_else_has_them(
    bench: Bench, make: Any, verdict: str
) -> None:
    bench.leave(left(make))
    assert bench.verdicts() == {"t": verdict}
    for key in [*weakref.finalize._registry]:  # type: ignore[attr-defined]
        if getattr(key.peek() and key.peek()[1], "__name__", "") == "set":
            key.detach()


class Watched:
    """Something that others hold."""


@pytest.mark.parametrize("form", [weakref.ref, weakref.proxy], ids=["ref", "proxy"])
def test_a_watch_over_a_thing_of_others_wakes_when_those_drop_it(bench: Bench, form: Any) -> None:
    """The task alone has the weak reference; its callback runs all the same."""
    MODULE["watched"] = Watched()

    def make(event: asyncio.Event) -> Any:
        return form(MODULE["watched"], lambda _: event.set())

    bench.leave(left(make))
    assert bench.verdicts() == {"t": "live"}
    del MODULE["watched"]
    bench.turn()
    assert bench.tasks[0].done()


def test_a_weak_table_keyed_by_things_of_others_is_no_watch(bench: Bench) -> None:
    MODULE["key"] = Watched()

    def make(event: asyncio.Event) -> Any:
        return [weakref.WeakSet([MODULE["key"]]), weakref.WeakValueDictionary({1: MODULE["key"]})]

    bench.leave(left(make))
    assert bench.verdicts() == {"t": "stuck"}


def test_containers_of_the_harness_do_not_count(bench: Bench) -> None:
    """S7: in whatever order and however often they are given, and inside of what tasks reach too."""
    funcargs: dict[str, Any] = {}

    class Case(unittest.TestCase):
        def runTest(self) -> None:  # noqa: N802 - unittest's name
            """Do nothing."""

    async def build() -> None:
        case: Any = Case()
        case.funcargs = funcargs
        funcargs["event"] = event = asyncio.Event()
        funcargs["case"] = case
        spawn(waits(event, case), "t")

    bench.leave(build)
    assert bench.verdicts() == {"t": "live"}
    assert bench.verdicts(funcargs) == {"t": "stuck"}
    assert bench.verdicts(funcargs, bench.tasks, funcargs) == {"t": "stuck"}
    MODULE["event"] = funcargs["event"]
    assert bench.verdicts(funcargs, funcargs) == {"t": "live"}
    funcargs.clear()


def test_a_list_given_twice_hides_no_reference_of_others(bench: Bench) -> None:
    async def build() -> None:
        MODULE["event"] = event = asyncio.Event()
        spawn(waits(event), "t")

    bench.leave(build)
    event = [MODULE["event"]]
    assert bench.verdicts(event, event, bench.tasks) == {"t": "live"}


# Traps


def test_a_unittest_case_that_reaches_everything_is_no_obstacle(bench: Bench) -> None:
    class Case(unittest.TestCase):
        def runTest(self) -> None:  # noqa: N802 - unittest's name
            """Do nothing."""

    def make(_: asyncio.Event) -> Any:
        case: Any = Case()
        case.modules = sys.modules
        case.me = case
        return case

    bench.leave(left(make))
    assert bench.verdicts() == {"t": "stuck"}


def test_a_task_around_asend_is_judged(bench: Bench) -> None:
    async def items(event: asyncio.Event) -> AsyncIterator[bool]:
        yield await event.wait()

    async def build() -> None:
        generator: Any = items(asyncio.Event())
        spawn(generator.asend(None), "asend")
        awaited: Any = anext(items(asyncio.Event()), None)
        asyncio.ensure_future(awaited).set_name("anext")

    bench.leave(build)
    assert bench.verdicts() == {"asend": "stuck", "anext": "stuck"}


@pytest.mark.parametrize("hub", [list, dict.fromkeys, set, tuple], ids=["list", "dict", "set", "tuple"])
def test_a_huge_container_is_not_looked_into(bench: Bench, hub: Any) -> None:
    """What is in it looks as if held from outside; what is beside it does not."""

    async def build() -> None:
        aside, inside = asyncio.Event(), asyncio.Event()
        spawn(waits(aside, hub([(number, ()) for number in range(25_000)])), "beside")
        spawn(waits(inside, hub([*range(25_000), inside])), "inside")

    bench.leave(build)
    assert bench.verdicts() == {"beside": "stuck", "inside": "live"}
    assert all(proof.looked_at < 3_000 for proof in bench.proofs().values())


RAN: list[str] = []


def told(name: str) -> Any:
    """Return a method that tells on who calls it."""

    def method(*_: Any) -> Any:
        RAN.append(name)
        raise RuntimeError(name)

    return method


SPECIAL = (
    "__getattr__",
    "__eq__",
    "__hash__",
    "__bool__",
    "__len__",
    "__iter__",
    "__contains__",
    "__repr__",
    "__str__",
)
Odd: Any = type(
    "Odd", (), {name: told(name) for name in SPECIAL} | {"__class__": property(told("__class__"))}
)
OddList: Any = type("OddList", (list,), {name: told(name) for name in SPECIAL if name != "__getattr__"})
OddDict: Any = type("OddDict", (dict,), {name: told(name) for name in SPECIAL if name != "__getattr__"})
META = ("__getattr__", "__eq__", "__hash__", "__instancecheck__", "__subclasscheck__", "__call__")


class Descriptor:
    """Tells on who reads it."""

    def __get__(self, thing: object, kind: object) -> Any:
        """Tell."""
        return told("__get__")()


def odd_class() -> Any:
    """Return an object whose class must not be asked anything."""
    meta: Any = type("OddMeta", (type,), {name: told(f"type.{name}") for name in META[:-1]})
    kind = type.__new__(
        meta, "OddClass", (), {"callback": Descriptor(), "data": Descriptor(), "f": Descriptor()}
    )
    return object.__new__(kind)


@pytest.mark.parametrize(
    "make",
    [Odd, lambda: OddList([1]), lambda: OddDict({1: 2}), odd_class],
    ids=["object", "list", "dict", "metaclass"],
)
def test_odd_objects_are_not_touched(bench: Bench, make: Any) -> None:
    bench.leave(left(lambda event: [make(), [event]]))
    RAN.clear()
    assert bench.verdicts() == {"t": "stuck"}
    assert RAN == []


def test_a_generator_in_hand_is_no_finalizer(bench: Bench) -> None:
    """Builtin generators define `__del__`: what closing them runs belongs to the end of who holds them."""

    def items() -> Iterator[int]:
        yield 1

    bench.leave(left(lambda _: [iter(items()), items()]))
    assert bench.verdicts() == {"t": "stuck"}


def test_the_frames_of_a_traceback_lead_nowhere(bench: Bench) -> None:
    """Else nothing could be proven after a test has failed."""

    def fail(event: asyncio.Event) -> None:
        raise KeyError

    def make(event: asyncio.Event) -> Any:
        try:
            fail(event)
        except KeyError as error:
            return MODULE.setdefault("error", error.with_traceback(error.__traceback__.tb_next))  # type: ignore[union-attr]

    bench.leave(left(make))
    assert bench.verdicts() == {"t": "stuck"}


def test_a_local_of_a_running_function_is_a_way(bench: Bench) -> None:
    box: list[asyncio.Event] = []
    bench.leave(left(box.append))
    event = box.pop()
    assert bench.verdicts() == {"t": "live"}
    del event
    assert bench.verdicts() == {"t": "stuck"}


def test_looking_leaves_no_trace(bench: Bench) -> None:
    bench.leave(lock_and_queue)
    counts = [sys.getrefcount(task) for task in bench.tasks]
    before = (gc.isenabled(), sys.getswitchinterval(), counts)
    bench.proofs()
    counts = [sys.getrefcount(task) for task in bench.tasks]
    assert (gc.isenabled(), sys.getswitchinterval(), counts) == before


def test_a_proof_stays(bench: Bench) -> None:
    """Nothing that lives makes a stuck task live again."""
    bench.leave(lock_and_queue)
    assert set(bench.verdicts().values()) == {"stuck"}
    gc.collect()
    bench.turn()
    assert set(bench.verdicts().values()) == {"stuck"}
