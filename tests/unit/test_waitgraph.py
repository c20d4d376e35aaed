"""Is the wait-for graph over what is left the right one: nodes, edges, places and cycles?"""

from __future__ import annotations

import asyncio
import functools
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_taskleak.adapt.standing import all_standing
from pytest_taskleak.diagnosis import Edge, Finality, Graph, Node
from pytest_taskleak.explain import scene as scenes
from pytest_taskleak.explain.scene import Scene
from pytest_taskleak.explain.waitgraph import build, cycles, shortest, told_apart

if TYPE_CHECKING:
    from tests.unit.conftest import Spawn, Stage

GLOBAL: dict[str, Any] = {}
"""Global names of a program."""


@pytest.fixture(autouse=True)
def names() -> Iterator[None]:
    """Forget the global names of each program."""
    yield
    GLOBAL.clear()


@functools.cache
def line(mark: str) -> str:
    """Return the place of the line of this file that ends in `# @mark`."""
    with open(__file__, encoding="utf-8") as file:
        number = next(n for n, row in enumerate(file, 1) if row.rstrip().endswith(f"# @{mark}"))
    return f"{__file__}:{number}"


# --- programs -----------------------------------------------------------------------------------


async def transfer(source: asyncio.Lock, target: asyncio.Lock) -> None:
    async with source:  # @taken
        await asyncio.sleep(0)
        async with target:  # @wanted
            pass


async def sleep_under(lock: asyncio.Lock) -> None:
    async with lock:
        await asyncio.sleep(3600)


async def wait(thing: Any, *_held: Any) -> None:
    await (thing.wait() if isinstance(thing, asyncio.Event) else thing)


async def consume(queue: asyncio.Queue[int], lock: asyncio.Lock) -> None:
    async with lock:
        await queue.get()  # @get


async def feed(queue: asyncio.Queue[int], lock: asyncio.Lock) -> None:
    async with lock:
        pass
    await queue.put(1)  # @put


def inversion(spawn: Spawn, *, known: bool = False) -> Callable[[], Any]:
    async def program() -> None:
        one, two = asyncio.Lock(), asyncio.Lock()
        spawn(transfer(one, two), "ab")
        spawn(transfer(two, one), "ba")
        if known:
            GLOBAL.update(one=one, two=two)

    return program


# --- cycles of tasks ----------------------------------------------------------------------------


def test_locks_in_opposite_order(stage: Stage, spawn: Spawn) -> None:
    stage.leave(inversion(spawn))
    sight = stage.look()
    assert sight.finalities == {"ab": "stuck", "ba": "stuck"}
    assert sight.edges == {
        ("ab", "waits for", "asyncio.Lock `target` #1"),
        ("asyncio.Lock `target` #1", "held by", "ba"),
        ("ba", "waits for", "asyncio.Lock `target` #2"),
        ("asyncio.Lock `target` #2", "held by", "ab"),
    }
    assert sight.cycles == [["ab", "ba"]]
    assert {node.where for node in sight.graph.nodes if node.kind == "task"} == {line("wanted")}
    assert {node.where for node in sight.graph.nodes if node.kind == "lock"} == {""}
    places = {edge.label: edge.where for edge in sight.graph.edges}
    assert places == {"waits for": line("wanted"), "held by": line("taken")}
    assert {n.kind: n.finality for n in sight.graph.nodes} == {"task": "stuck", "lock": None}


def test_a_helper_task_is_named_by_the_code_that_awaits_it(stage: Stage, spawn: Spawn) -> None:
    """`shield()` runs the wait in a task of its own, whose code has no name for the event."""

    async def guard() -> None:
        ready = asyncio.Event()
        await asyncio.shield(asyncio.create_task(ready.wait(), name="helper"))

    async def build() -> None:
        spawn(guard(), "guard")

    stage.leave(build)
    sight = stage.look()
    assert sight.scene.wait(sight.task("helper")).name == "ready"


def test_locks_of_a_module_are_a_cycle_all_the_same(stage: Stage, spawn: Spawn) -> None:
    stage.leave(inversion(spawn, known=True))
    sight = stage.look()
    assert sight.finalities == {"ab": "deadlock", "ba": "deadlock"}
    assert sight.cycles == [["ab", "ba"]]


def test_keys_are_those_of_the_tasks(stage: Stage, spawn: Spawn) -> None:
    stage.leave(inversion(spawn))
    sight = stage.look()
    assert {task.get_name(): sight.keys[id(task)] for task in stage.tasks} == {"ab": "t1", "ba": "t2"}
    assert [sight.graph.node(key).label for key in ("t1", "t2")] == ["task 'ab'", "task 'ba'"]


def test_one_told_task_leads_to_the_others(stage: Stage, spawn: Spawn) -> None:
    """Only one of the tasks is reported; the graph goes on to who holds what it waits for."""
    stage.leave(inversion(spawn))
    sight = stage.look("ba")
    assert sight.cycles == [["ab", "ba"]]
    assert sight.finalities == {"ba": "stuck"}
    assert sight.outlook.finality(sight.task("ab")) == "stuck"


def test_others_that_have_nothing_to_do_with_it_are_left_out(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        await inversion(spawn)()
        spawn(asyncio.sleep(3600), "elsewhere")

    stage.leave(program)
    sight = stage.look("ab", "ba")
    assert {node.label for node in sight.graph.nodes if node.kind == "task"} == {"task 'ab'", "task 'ba'"}


def test_a_lock_is_held_by_its_own_waiter(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        lock = asyncio.Lock()
        spawn(transfer(lock, lock), "twice")

    stage.leave(program)
    sight = stage.look()
    assert sight.edges == {
        ("twice", "waits for", "asyncio.Lock `source`"),
        ("asyncio.Lock `source`", "held by", "twice"),
    }
    assert sight.cycles == [["twice"]]


def test_philosophers(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        forks = [asyncio.Lock() for _ in range(4)]
        for number in range(4):
            spawn(transfer(forks[number], forks[(number + 1) % 4]), f"p{number}")

    stage.leave(program)
    sight = stage.look()
    assert sight.cycles == [["p0", "p1", "p2", "p3"]]
    labels = {node.label for node in sight.graph.nodes if node.kind == "lock"}
    assert labels == {f"asyncio.Lock `target` #{number}" for number in (1, 2, 3, 4)}


@pytest.mark.parametrize("size", [2, 3])
def test_tasks_that_await_each_other(stage: Stage, spawn: Spawn, size: int) -> None:
    async def member(tasks: list[Any], number: int) -> None:
        await tasks[(number + 1) % size]

    async def program() -> None:
        tasks: list[Any] = []
        tasks += [spawn(member(tasks, number), f"m{number}") for number in range(size)]

    stage.leave(program)
    sight = stage.look()
    ring = [f"m{number}" for number in range(size)]
    assert sight.edges == {(a, "awaits", b) for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)}
    assert sight.cycles == [ring]
    assert set(sight.finalities.values()) == {"stuck"}


def test_gathers_that_await_each_other(stage: Stage, spawn: Spawn) -> None:
    async def member(tasks: list[Any], number: int) -> None:
        await asyncio.gather(tasks[1 - number], asyncio.Event().wait())

    async def program() -> None:
        tasks: list[Any] = []
        tasks += [spawn(member(tasks, number), f"g{number}") for number in range(2)]

    stage.leave(program)
    sight = stage.look("g0", "g1")
    assert sight.cycles == [["g0", "g1"]]


def test_a_wait_under_a_lock(stage: Stage, spawn: Spawn) -> None:
    """The consumer holds the lock that the producer needs before its put()."""

    async def program() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        lock = asyncio.Lock()
        spawn(consume(queue, lock), "consumer")
        await asyncio.sleep(0)
        spawn(feed(queue, lock), "producer")

    stage.leave(program)
    sight = stage.look()
    assert ("asyncio.Queue `queue`", "needs put()", "producer") in sight.edges
    assert ("asyncio.Lock `lock`", "held by", "consumer") in sight.edges
    assert sight.cycles == [["consumer", "producer"]]
    needs = next(edge for edge in sight.graph.edges if edge.label == "needs put()")
    assert needs.where == line("put")


def test_permits_of_a_semaphore_are_held_by_their_waiters(stage: Stage, spawn: Spawn) -> None:
    async def nested(pool: asyncio.Semaphore) -> None:
        async with pool:
            await asyncio.sleep(0)
            async with pool:
                pass

    async def program() -> None:
        pool = asyncio.BoundedSemaphore(2)
        for name in "xy":
            spawn(nested(pool), name)

    stage.leave(program)
    sight = stage.look()
    node = "asyncio.BoundedSemaphore `pool`"
    assert sight.edges == {
        ("x", "waits for", node),
        ("y", "waits for", node),
        (node, "held by", "x"),
        (node, "held by", "y"),
    }
    assert sight.cycles
    assert {name for cycle in sight.cycles for name in cycle} == {"x", "y"}


# --- no cycles ----------------------------------------------------------------------------------


def test_a_holder_that_sleeps_makes_no_cycle(stage: Stage, spawn: Spawn) -> None:
    """A lock comes back when its holder has slept; until then it is an edge and no deadlock."""

    async def program() -> None:
        lock = asyncio.Lock()
        spawn(sleep_under(lock), "holder")
        await asyncio.sleep(0)
        spawn(transfer(lock, asyncio.Lock()), "waiter")

    stage.leave(program)
    sight = stage.look()
    assert ("asyncio.Lock `source`", "held by", "holder") in sight.edges
    assert sight.cycles == []
    assert sight.finalities == {"holder": "outside", "waiter": "wakeable"}


def test_a_timeout_makes_no_cycle(stage: Stage, spawn: Spawn) -> None:
    async def impatient(source: asyncio.Lock, target: asyncio.Lock) -> None:
        async with asyncio.timeout(3600):
            await transfer(source, target)

    async def program() -> None:
        one, two = asyncio.Lock(), asyncio.Lock()
        spawn(impatient(one, two), "ab")
        spawn(transfer(two, one), "ba")

    stage.leave(program)
    sight = stage.look()
    assert sight.cycles == []
    assert sight.finalities["ab"] == "outside"
    assert sight.finalities["ba"] != "stuck"


def test_a_shielded_child_is_an_edge(stage: Stage, spawn: Spawn) -> None:
    async def shielding(inner: Any) -> None:
        await asyncio.shield(inner)

    async def program() -> None:
        inner = spawn(wait(asyncio.Event()), "inner")
        spawn(shielding(inner), "outer")

    stage.leave(program)
    sight = stage.look()
    assert ("outer", "awaits", "inner") in sight.edges
    assert sight.cycles == []
    assert sight.finalities == {"inner": "stuck", "outer": "stuck"}


def test_children_that_are_done_are_no_edges(stage: Stage, spawn: Spawn) -> None:
    async def collect(*tasks: Any) -> None:
        await asyncio.gather(*tasks)

    async def program() -> None:
        quick = spawn(asyncio.sleep(0), "quick")
        slow = spawn(wait(asyncio.Event()), "slow")
        spawn(collect(quick, slow), "collect")

    stage.leave(program)
    assert {edge for edge in stage.look().edges if edge[1] == "awaits"} == {("collect", "awaits", "slow")}


def test_waits_without_a_primitive_have_no_node(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        spawn(asyncio.sleep(3600), "sleeps")

    stage.leave(program)
    graph = stage.look().graph
    assert [node.label for node in graph.nodes] == ["task 'sleeps'"]
    assert graph.edges == ()


# --- labels -------------------------------------------------------------------------------------


def test_primitives_are_called_as_the_field_writes_them(stage: Stage, spawn: Spawn) -> None:
    async def bare(reply: asyncio.Future[int]) -> None:
        await reply

    async def unnamed() -> None:
        await asyncio.get_running_loop().create_future()

    async def event(ready: asyncio.Event) -> None:
        await ready.wait()

    async def queue(jobs: asyncio.Queue[int]) -> None:
        await jobs.get()

    async def condition(changed: asyncio.Condition) -> None:
        async with changed:
            await changed.wait()

    async def barrier(party: asyncio.Barrier) -> None:
        await party.wait()

    async def program() -> None:
        loop = asyncio.get_running_loop()
        spawn(bare(loop.create_future()), "bare")
        spawn(unnamed(), "unnamed")
        spawn(event(asyncio.Event()), "event")
        spawn(queue(asyncio.Queue()), "queue")
        spawn(condition(asyncio.Condition()), "condition")
        spawn(barrier(asyncio.Barrier(2)), "barrier")

    stage.leave(program)
    waited = {source: target for source, label, target in stage.look().edges if label == "waits for"}
    assert waited == {
        "bare": "asyncio.Future `reply`",
        "unnamed": "asyncio.Future",
        "event": "asyncio.Event `ready`",
        "queue": "asyncio.Queue `jobs`",
        "condition": "asyncio.Condition `changed`",
        "barrier": "asyncio.Barrier `party`",
    }


def test_a_thing_that_several_wait_for_is_one_node(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        event = asyncio.Event()
        for number in range(3):
            spawn(wait(event), f"w{number}")

    stage.leave(program)
    graph = stage.look().graph
    assert [node.label for node in graph.nodes if node.kind == "event"] == ["asyncio.Event `thing`"]
    assert len(graph.edges) == 3


def test_names_that_are_used_twice_are_numbered() -> None:
    def node(key: str, label: str, kind: str = "lock") -> Node:
        return Node(key=key, kind=kind, label=label)

    nodes = [node("l1", "asyncio.Lock `a`"), node("t1", "task 'x'", "task"), node("l2", "asyncio.Lock `b`")]
    nodes += [node("l3", "asyncio.Lock `a`"), node("t2", "task 'x'", "task"), node("e1", "asyncio.Event")]
    assert [found.label for found in told_apart(nodes)] == [
        "asyncio.Lock `a` #1",
        "task 'x'",
        "asyncio.Lock `b`",
        "asyncio.Lock `a` #2",
        "task 'x'",
        "asyncio.Event",
    ]
    assert [found.key for found in told_apart(nodes)] == ["l1", "t1", "l2", "l3", "t2", "e1"]


# --- odd ones -----------------------------------------------------------------------------------


class Nasty:
    """Runs code of the user whatever one asks of it."""

    asked: list[str] = []  # noqa: RUF012 -- shared by all, that is the point

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        raise RuntimeError(name)

    def __repr__(self) -> str:
        self.asked.append("repr")
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        self.asked.append("eq")
        raise RuntimeError

    def __hash__(self) -> int:
        self.asked.append("hash")
        raise RuntimeError

    def __bool__(self) -> bool:
        self.asked.append("bool")
        raise RuntimeError

    def __len__(self) -> int:
        self.asked.append("len")
        raise RuntimeError

    @property  # type: ignore[misc]  # that it is read-only is part of the game
    def __class__(self) -> Any:
        self.asked.append("class")
        raise RuntimeError


def test_no_code_of_the_user_is_run(stage: Stage, spawn: Spawn) -> None:
    """Objects that raise whatever is asked of them stand in locals, in arguments and on the stack."""

    async def odd(lock: asyncio.Lock, other: asyncio.Lock, thing: Any) -> None:
        first = Nasty()
        async with lock, AsyncExitStack() as stack:
            stack.callback(id, thing)
            for _ in itertools.repeat(Nasty()):
                second, third = [first], {"x": thing}
                await asyncio.sleep(0)
                async with other:
                    pass
                del second, third

    async def fed(event: asyncio.Event, thing: Any) -> None:
        await event.wait()
        thing.set()
        event.set()

    async def program() -> None:
        one, two, event = asyncio.Lock(), asyncio.Lock(), asyncio.Event()
        spawn(odd(one, two, Nasty()), "ab")
        spawn(odd(two, one, Nasty()), "ba")
        spawn(fed(event, Nasty()), "waits")

    stage.leave(program)
    Nasty.asked.clear()
    sight = stage.look()
    assert Nasty.asked == []
    assert sight.cycles == [["ab", "ba"]]
    assert sight.finalities == {"ab": "stuck", "ba": "stuck", "waits": "stuck"}
    for name in sight.finalities:
        sight.cause(name)
        sight.rows(name)
    assert Nasty.asked == []


def test_a_future_of_the_user_that_raises_is_waited_for(stage: Stage, spawn: Spawn) -> None:
    class Odd(asyncio.Future):  # type: ignore[type-arg]
        __hash__ = None  # type: ignore[assignment]

        def __repr__(self) -> str:
            raise RuntimeError

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

    async def program() -> None:
        spawn(wait(Odd()), "odd")

    stage.leave(program)
    sight = stage.look()
    assert sight.finalities == {"odd": "stuck"}
    assert sight.edges == {("odd", "waits for", "asyncio.Future `thing`")}


def test_large_graphs_are_cut(stage: Stage, spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "MOST_TASKS", 5)

    async def program() -> None:
        event = asyncio.Event()
        for number in range(40):
            spawn(wait(event), f"w{number:02}")

    stage.leave(program)
    sight = stage.look()
    assert len(sight.finalities) == 5
    assert len(sight.graph.nodes) == 6
    assert set(sight.finalities.values()) == {"stuck"}


def test_no_tasks_and_no_threads() -> None:
    scene = Scene([])
    assert build(scene, lambda _: "unknown") == (Graph(), {})
    assert scene.loops() == []


# --- threads ------------------------------------------------------------------------------------


class Pair:
    """Two threads that take two locks in opposite order, and are let go in the end."""

    def __init__(self, timeout: float) -> None:
        self.locks = threading.Lock(), threading.Lock()
        self.met = threading.Barrier(2)
        one, two = self.locks
        self.threads = [
            threading.Thread(target=self.take, args=(one, two, -1), name="one", daemon=True),
            threading.Thread(target=self.take, args=(two, one, timeout), name="two", daemon=True),
        ]
        for thread in self.threads:
            thread.start()
        self.wait()

    def take(self, source: threading.Lock, target: threading.Lock, timeout: float) -> None:
        with source:  # @thread-taken
            self.met.wait()
            target.acquire(timeout=timeout)  # @thread-wanted

    @property
    def idents(self) -> list[int]:
        return [thread.ident or 0 for thread in self.threads]

    def wait(self) -> None:
        """Wait until both stand at their second lock."""
        for _ in range(5000):
            found = all_standing()
            if all(found[ident].kind == "lock" and found[ident].holder for ident in self.idents):
                return
            threading.Event().wait(0.001)
        raise AssertionError("they never stood")

    def end(self) -> None:
        """Give the second thread the lock of the first; its own is then free for the other."""
        self.locks[0].release()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()


@pytest.fixture(params=[-1, 3600], ids=["for ever", "timed"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Two threads that wait for each other, the second of them with a timeout or without."""
    made = Pair(request.param)
    yield made
    made.end()


def test_threads(stage: Stage, pair: Pair, request: pytest.FixtureRequest) -> None:
    sight = stage.look(threads=pair.idents)
    assert sight.edges == {
        ("thread 'one'", "waits for", "threading.Lock `target` #1"),
        ("threading.Lock `target` #1", "held by", "thread 'two'"),
        ("thread 'two'", "waits for", "threading.Lock `target` #2"),
        ("threading.Lock `target` #2", "held by", "thread 'one'"),
    }
    places = {edge.label: edge.where for edge in sight.graph.edges}
    assert places == {"waits for": line("thread-wanted"), "held by": line("thread-taken")}
    cycle = [["thread 'one'", "thread 'two'"]] if "for ever" in request.node.name else []
    assert sight.cycles == cycle  # a wait that ends by itself gives the lock back


def test_only_the_threads_that_are_told_of(stage: Stage) -> None:
    made = Pair(-1)
    try:
        sight = stage.look(threads=made.idents[:1])
        assert [node.label for node in sight.graph.nodes if node.kind == "thread"] == [
            "thread 'one'",
            "thread 'two'",
        ]
        assert sight.cycles == []
        assert stage.look().graph == Graph()
    finally:
        made.end()


# --- the search for cycles, on made-up graphs -----------------------------------------------------


def made(*pairs: str, alive: str = "", kinds: str = "") -> tuple[list[Node], list[Edge]]:
    """Return the nodes and edges of pairs like "ab"; capitals are locks, small letters are tasks."""
    keys = sorted({key for pair in pairs for key in pair})
    nodes = [
        Node(key=key, kind="lock" if key.isupper() else "thread" if key in kinds else "task", label=key,
             finality=None if key.isupper() else "outside" if key in alive else "stuck")
        for key in keys
    ]  # fmt: skip
    return nodes, [Edge(source=pair[0], target=pair[1], label="waits for") for pair in pairs]


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        (["aa"], [("a",)]),
        (["ab", "ba"], [("a", "b")]),
        (["aL", "La"], [("a",)]),
        (["aL", "Lb", "bM", "Ma"], [("a", "b")]),
        (["xa", "ab", "ba"], [("a", "b")]),  # who waits for a cycle is not on it
        (["ab", "bc", "ca", "ac"], [("a", "c"), ("b", "c", "a")]),  # each task is told on a shortest one
        (["ab", "ba", "cd", "dc"], [("a", "b"), ("c", "d")]),
        (["aL", "LM", "ML"], []),
        (["ab", "bc"], []),
        ([], []),
    ],
)
def test_cycles(pairs: list[str], found: list[tuple[str, ...]]) -> None:
    assert list(cycles(*made(*pairs))) == found


@pytest.mark.parametrize("word", ["outside", "wakeable", "unknown", "ready", "spins", "swallows"])
def test_what_may_go_on_breaks_a_cycle(word: Finality) -> None:
    nodes, edges = made("ab", "ba")
    nodes[0] = Node(key="a", kind="task", label="a", finality=word)
    assert cycles(nodes, edges) == ()


@pytest.mark.parametrize("word", ["stuck", "deadlock", "closed"])
def test_what_never_goes_on_does_not(word: Finality) -> None:
    nodes, edges = made("ab", "ba")
    nodes[0] = Node(key="a", kind="task", label="a", finality=word)
    assert cycles(nodes, edges) == (("a", "b"),)


def test_a_timed_thread_breaks_a_cycle() -> None:
    nodes, edges = made("aL", "Lb", "bM", "Ma", kinds="ab")
    assert cycles(nodes, edges) == (("a", "b"),)
    assert cycles(nodes, edges, timed={"b"}) == ()


def test_shortest_way_back() -> None:
    assert shortest("a", {"a": ["b", "c"], "b": ["c"], "c": ["a"]}) == ["a", "c"]
    assert shortest("a", {"a": ["b"], "b": ["b"]}) == []


@given(st.lists(st.text("abcdeLM", min_size=2, max_size=2), max_size=14), st.text("abcde"))
def test_cycles_are_cycles(pairs: list[str], alive: str) -> None:
    """What is told can be walked; who is on a cycle of what never goes on is told of."""
    nodes, edges = made(*pairs, alive=alive)
    ways = {(edge.source, edge.target) for edge in edges}
    dead = {node.key for node in nodes if node.key not in alive}
    within = {(a, b) for a, b in ways if a in dead and b in dead}
    reach = set(within)
    while more := {(a, d) for a, b in reach for c, d in within if b == c} - reach:
        reach |= more
    found = cycles(nodes, edges)
    told = {key for cycle in found for key in cycle}
    assert told == {node.key for node in nodes if node.kind == "task" and (node.key, node.key) in reach}
    for cycle in found:
        for one, other in itertools.pairwise([*cycle, cycle[0]]):
            assert (one, other) in reach
