"""Who holds a task, a timer or a thread?

Tasks are kept in the list `left` alone, which is the watcher's own in these tests: no variable names them.
"""

from __future__ import annotations

import asyncio
import collections
import contextvars
import functools
import gc
import io
import logging
import random
import re
import sys
import threading
import types
import weakref
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.explain import entrances, owned, retention, searching
from pytest_taskleak.explain.retention import Budget, draw, kept_by

Loop = asyncio.AbstractEventLoop
Ask = Callable[..., tuple[str, ...]]


def short(code: CodeType, line: int) -> str:
    """Return a place that does not depend on the lines of this file."""
    return f"{Path(code.co_filename).name}:{line - code.co_firstlineno}"


class Poller:
    """Keeps its task."""

    def __init__(self, task: Any) -> None:
        self._task = task

    def tick(self) -> None:
        """Do nothing."""


async def forever(*_kept: Any) -> None:
    """Wait for what never comes."""
    await asyncio.get_running_loop().create_future()


async def fetch(task: Any) -> None:
    """Wait for another task."""
    await task


async def collect(*tasks: Any) -> None:
    """Wait for other tasks."""
    await asyncio.gather(*tasks)


@pytest.fixture
def loop() -> Iterator[Loop]:
    """A loop that is turned by hand; what is pending on it is ended."""
    made = asyncio.new_event_loop()
    yield made
    for task in asyncio.all_tasks(made):
        task.cancel()
    for _ in range(5):
        made.run_until_complete(asyncio.sleep(0))
    for handle in asyncio_.scheduled(made):
        handle.cancel()
    made.close()


@pytest.fixture
def left() -> Iterator[list[Any]]:
    """What the watcher has found; it is dropped at the end."""
    found: list[Any] = []
    yield found
    found.clear()


@pytest.fixture
def spawn(loop: Loop, left: list[Any]) -> Callable[..., None]:
    """Make a task that only `left` holds."""

    def make(coro: Coroutine[Any, Any, Any]) -> None:
        left.append(loop.create_task(coro))
        loop.run_until_complete(asyncio.sleep(0))

    return make


@pytest.fixture
def beside(loop: Loop) -> Iterator[Callable[..., None]]:
    """Make a task that is alive, and is not what is left."""
    alive: list[Any] = []

    def make(coro: Coroutine[Any, Any, Any], name: str | None = None) -> None:
        alive.append(loop.create_task(coro, name=name))
        loop.run_until_complete(asyncio.sleep(0))

    yield make
    alive.clear()


@pytest.fixture
def ask(left: list[Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, ...]]]:
    """Ask who holds what is left; in a process with the modules of a whole suite that takes longer than in life."""
    monkeypatch.setattr(retention, "WALK_SECONDS", 30.0)

    def asked(**more: Any) -> list[tuple[str, ...]]:
        return kept_by(left, skip=[left], short=short, **{"budget": Budget(60.0, 30.0), **more})

    return asked


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A module of the user."""
    module = types.ModuleType("taskleak_app")
    module.__file__ = str(tmp_path / "taskleak_app.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    yield module
    vars(module).clear()


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A module of a library."""
    module = types.ModuleType("taskleak_library")
    module.__file__ = str(tmp_path / "site-packages" / "taskleak_library.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    yield module
    vars(module).clear()


def test_nobody(spawn: Any, ask: Any) -> None:
    spawn(forever())
    spawn(forever())
    assert ask() == [(), ()]


def test_that_nobody_holds_it_is_known_without_a_search(
    spawn: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def search_back(*_: Any, **__: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(retention, "search_back", search_back)
    spawn(forever())
    assert ask() == [()]


def test_its_own_coroutine_does_not_count(spawn: Any, ask: Any, left: list[Any]) -> None:
    poller = Poller(None)
    spawn(forever(poller))
    poller._task = left[0]
    del poller
    assert ask() == [()]


@pytest.mark.parametrize(
    ("keep", "text"),
    [
        (lambda task: task, "taskleak_app.KEPT"),
        (Poller, "taskleak_app.KEPT._task"),
        (lambda task: {"main": Poller(task)}, "taskleak_app.KEPT['main']._task"),
        (lambda task: [None, (task,)], "taskleak_app.KEPT[1][0]"),
        (lambda task: {task}, "taskleak_app.KEPT{member}"),
        (
            lambda task: type("Registry", (), {"known": [task], "__module__": "taskleak_app"}),
            "taskleak_app.KEPT.known[0]",
        ),
        (lambda task: functools.partial(print, task), "taskleak_app.KEPT.args[0]"),
        (lambda task: Poller(task).tick, "taskleak_app.KEPT.__self__._task"),
        (lambda task: lambda: task, "taskleak_app.KEPT -> closure 'task' of <lambda>.<locals>.<lambda>"),
    ],
    ids=["global", "object", "dict", "nested", "set", "class", "partial", "method", "closure"],
)
@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
def test_a_module_holds_it(
    spawn: Any, ask: Any, left: list[Any], app: Any, keep: Callable[[Any], Any], text: str, named: bool
) -> None:
    spawn(forever())
    app.KEPT = keep(left[0])
    told = ask(modules=["taskleak_app", "not_imported"] if named else [])[0]
    plain = re.sub(r"test_\w+\.<locals>\.", "", told[0])
    assert plain.replace("taskleak_app.Registry", "taskleak_app.KEPT") == text  # a class has two names here


def test_ten_at_once_in_one_pool(spawn: Any, ask: Any, left: list[Any], app: Any) -> None:
    for _ in range(10):
        spawn(forever())
    app.POOL = list(left)
    assert ask() == [(f"taskleak_app.POOL[{number}]",) for number in range(10)]


def test_two_chains_are_told_at_most(spawn: Any, ask: Any, left: list[Any], app: Any) -> None:
    spawn(forever())
    app.A, app.B, app.C = [left[0]], [left[0]], [left[0]]
    assert ask(modules=["taskleak_app"]) == [("taskleak_app.A[0]", "taskleak_app.B[0]")]


def test_a_fixture_holds_it(spawn: Any, ask: Any, left: list[Any]) -> None:
    spawn(forever())
    spawn(forever())
    roots = [("fixture 'broker' (session)", [Poller(left[0])]), ("fixture 'job' (module)", left[1])]
    assert ask(roots=roots) == [("fixture 'broker' (session) -> [0]._task",), ("fixture 'job' (module)",)]


def test_another_task_holds_it(spawn: Any, ask: Any, left: list[Any], beside: Any) -> None:
    spawn(forever())
    beside(forever([Poller(left[0])]))
    assert ask() == [("local '_kept' of forever (test_retention.py:2) -> _kept[0][0]._task",)]


def test_another_task_awaits_it(spawn: Any, ask: Any, left: list[Any], beside: Any) -> None:
    spawn(forever())
    beside(fetch(left[0]))
    spawn(forever())
    beside(collect(left[1]))
    assert ask() == [
        ("local 'task' of fetch (test_retention.py:2)",),
        ("local 'tasks' of collect (test_retention.py:2) -> tasks[0]",),
    ]


def test_a_task_that_awaits_it_without_a_variable(left: list[Any], beside: Any, loop: Loop) -> None:
    left.append(loop.create_future())

    async def start() -> None:
        await left[0]

    beside(start(), name="starter")
    found = kept_by(left, skip=[left], budget=Budget(60.0), short=short)
    assert found == [("task 'starter', which awaits it",)]


def test_one_leftover_holds_the_other(spawn: Any, ask: Any, left: list[Any]) -> None:
    spawn(forever())
    spawn(forever({"job": left[0]}))
    assert ask() == [("local '_kept' of forever (test_retention.py:2) -> _kept[0]['job']",), ()]


def test_a_running_frame_holds_it(spawn: Any, ask: Any, left: list[Any]) -> None:
    spawn(forever())

    def main() -> Any:
        lt = Poller(left[0])
        told = ask()
        return told, lt

    told, _ = main()
    assert told[0][0].startswith(
        "local 'lt' of test_a_running_frame_holds_it.<locals>.main (test_retention.py:"
    )
    assert told[0][0].endswith(" -> lt._task")


def test_another_thread_holds_it(spawn: Any, ask: Any, left: list[Any]) -> None:
    spawn(forever())
    ready, done = threading.Event(), threading.Event()

    def work() -> None:
        queue = [left[0]]
        ready.set()
        done.wait()
        queue.clear()

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    try:
        ready.wait()
        told = ask()[0][0]
    finally:
        done.set()
        thread.join()
    assert re.fullmatch(
        r"local 'queue' of .*work \(test_retention.py:\d\) in thread 'worker' -> queue\[0\]", told
    )


def test_who_holds_a_thread(ask: Any, left: list[Any], app: Any) -> None:
    done = threading.Event()

    class Worker(threading.Thread):
        def run(self) -> None:
            done.wait()

    for name in ("one", "two"):
        left.append(Worker(name=name))
        left[-1].start()
    try:
        app.service = Poller(left[0])
        told = ask()
    finally:
        done.set()
        for number in range(2):
            left[number].join()
    assert told == [("taskleak_app.service._task",), ()]


def test_a_timer(ask: Any, left: list[Any], loop: Loop, app: Any) -> None:
    left.append(loop.call_later(3000, Poller(None).tick))
    left.append(loop.call_later(3000, Poller(None).tick))
    app.CACHE = Poller(left[0])
    first, second = ask()
    assert first == ("taskleak_app.CACHE._task",)
    assert re.fullmatch(r"a timer of the event loop \(Poller.tick\)", second[0])


def test_a_timer_holds_it(spawn: Any, ask: Any, left: list[Any], loop: Loop) -> None:
    spawn(forever())
    loop.call_later(3000, Poller(left[0]).tick)
    told = ask()[0][0]
    assert re.fullmatch(r"a timer of the event loop \(Poller.tick\) -> .__self__._task", told)


def test_only_what_it_waits_for(spawn: Any, ask: Any, app: Any) -> None:
    app.GATE = asyncio.Event()
    spawn(app.GATE.wait())
    spawn(asyncio.sleep(3000))
    first, second = ask()
    assert first == ("only what it waits for: taskleak_app.GATE",)
    assert re.fullmatch(r"only what it waits for: a timer of the event loop", second[0])


def test_its_own_timeout(spawn: Any, ask: Any) -> None:
    async def limited() -> None:
        async with asyncio.timeout(3000):
            await forever()

    spawn(limited())
    assert re.fullmatch(r"only what it waits for: a timer of the event loop", ask()[0][0])


def test_weak_references_do_not_count(spawn: Any, ask: Any, left: list[Any], app: Any) -> None:
    spawn(forever())
    app.WEAK = [weakref.ref(left[0]), weakref.WeakSet([left[0]]), weakref.WeakValueDictionary({"a": left[0]})]
    assert ask(modules=["taskleak_app"]) == [()]


def test_a_context_variable_holds_it(spawn: Any, ask: Any, left: list[Any], app: Any) -> None:
    spawn(forever())
    variable: contextvars.ContextVar[Any] = contextvars.ContextVar("request")
    app.CONTEXT = contextvars.copy_context()
    app.CONTEXT.run(variable.set, {"job": left[0]})
    assert ask() == [("taskleak_app.CONTEXT -> ContextVar 'request' -> request['job']",)]


def test_a_library_holds_it(spawn: Any, ask: Any, left: list[Any], library: Any) -> None:
    spawn(forever())
    library.cache = Poller(left[0])
    assert ask() == [("taskleak_library.cache._task",)]


def test_a_crowd_is_searched_backwards(spawn: Any, ask: Any, left: list[Any], library: Any) -> None:
    for _ in range(searching.AT_ONCE + 2):
        spawn(forever())
    library.crowd = [*([None] * entrances.MOST_ITEMS), *map(Poller, left)]
    first = entrances.MOST_ITEMS
    assert ask() == [(f"taskleak_library.crowd[{first + n}]._task",) for n in range(len(left))]


def test_a_class_is_found_backwards(spawn: Any, ask: Any, left: list[Any]) -> None:
    spawn(forever())
    box = [type("Client", (), {"instance": Poller(left[0]), "__module__": "somewhere"})]
    assert ask() == [("somewhere.Client.instance._task",)]
    box.clear()


def test_a_traceback_holds_it(spawn: Any, ask: Any, left: list[Any]) -> None:
    spawn(forever())

    def test_boom() -> None:
        kept = left[0]
        raise ValueError(str(bool(kept)))

    holder: list[BaseException] = []
    try:
        test_boom()
    except ValueError as error:
        holder.append(error)
    told = ask()[0][0]
    assert re.fullmatch(
        r"a traceback -> local 'kept' of test_a_traceback\S*test_boom \(test_retention.py:2\)", told
    )
    holder.clear()


def test_a_log_record_holds_it(spawn: Any, ask: Any, left: list[Any], library: Any) -> None:
    spawn(forever())
    record = logging.LogRecord("app", logging.INFO, "app.py", 1, "%s", (left[0],), None)
    library.records = [*([None] * entrances.MOST_ITEMS), record]  # too many for a search forwards
    del record
    assert ask() == [("a log record -> .args[0]",)]


def test_other_kinds_of_things(ask: Any, left: list[Any], app: Any) -> None:
    left.append(object())
    left.append(Poller(None))
    app.THINGS = {"x": left[1]}
    assert ask() == [(), ("taskleak_app.THINGS['x']",)]


def test_records_of_the_watcher_are_no_holders(spawn: Any, left: list[Any]) -> None:
    from pytest_taskleak.engine.settle import Leftover

    spawn(forever())
    items = [Leftover(detector=None, thing=thing, birth=None) for thing in left]
    assert kept_by(left, skip=[left, items], budget=Budget(60.0), short=short) == [()]


def test_what_is_the_users_stays_the_users(spawn: Any, ask: Any, left: list[Any]) -> None:
    spawn(forever())
    value = {"jobs": [left[0]]}
    records = owned.own_records([left, {"funcargs": value}], set())
    assert all(record is not value for record in records)
    root = [left[0]]
    assert ask(roots=[("fixture 'jobs' (module)", root)])[0][0] == "fixture 'jobs' (module) -> [0]"


def test_the_budget(spawn: Any, ask: Any) -> None:
    spawn(forever())
    spawn(forever())
    budget = Budget(2.0)
    assert ask(budget=budget) == [(), ()]
    assert 0 < budget.seconds < 2.0
    budget.seconds = 0.0
    assert budget.spent
    assert ask(budget=budget) == [
        ("not searched: the budget of 2 s for this session is spent",),
        ("not searched",),
    ]
    assert ask(budget=budget) == [("not searched",), ("not searched",)]


def test_a_search_that_fails_says_so(spawn: Any, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spawn(forever())

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(retention, "loops_of", broken)
    budget = Budget(60.0)
    assert ask(budget=budget) == [("unknown: the search for it failed",)]
    assert budget.seconds < 60.0


def test_nothing_is_asked(ask: Any) -> None:
    assert ask() == []


def test_a_flood_of_objects_hides_nothing_beside_it(spawn: Any, ask: Any, left: list[Any], app: Any) -> None:
    spawn(forever())
    app.FLOOD = [[{"n": [n]} for n in range(200)] for _ in range(200)]
    app.handler = functools.partial(print, [Poller(left[0])])
    assert ask(modules=["taskleak_app"]) == [("taskleak_app.handler.args[0][0]._task",)]


def test_what_hides_in_a_flood_is_found_too(spawn: Any, ask: Any, left: list[Any], app: Any) -> None:
    spawn(forever())
    app.FLOOD = [[{"n": [n]} for n in range(200)] for _ in range(200)]
    app.FLOOD[150][7]["n"] = left[0]
    assert ask(modules=["taskleak_app"]) == [("taskleak_app.FLOOD[150][7]['n']",)]


class Angry:
    """Objects to whatever is asked."""

    def __init__(self, content: Any) -> None:
        object.__setattr__(self, "content", content)

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(f"asked for {name}")

    def __repr__(self) -> str:
        raise SystemExit("repr")

    def __eq__(self, other: object) -> bool:
        raise SystemExit("compared")

    def __hash__(self) -> int:
        return 1

    def __bool__(self) -> bool:
        raise SystemExit("bool")

    def __len__(self) -> int:
        raise SystemExit("len")

    def __iter__(self) -> Iterator[Any]:
        raise SystemExit("iter")


class AngryMeta(type):
    """A metaclass that objects as well."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(cls, other: object) -> bool:
        raise SystemExit("class compared")


def test_no_code_of_the_user_runs(spawn: Any, ask: Any, left: list[Any], app: Any, beside: Any) -> None:
    spawn(forever())
    spawn(forever())
    spawn(forever())
    app.ANGRY = {"a": [Angry(0), Angry(left[0])], "b": types.MethodType(print, Angry(0))}
    beside(forever(Angry([left[1]])))
    app.ODD = AngryMeta("Odd", (), {"__slots__": ("x",)})()
    app.ODD.x = left[2]
    assert ask(roots=[("fixture 'angry' (session)", Angry(0))]) == [
        ("taskleak_app.ANGRY['a'][1].content",),
        ("local '_kept' of forever (test_retention.py:2) -> _kept[0].content[0]",),
        ("taskleak_app.ODD.x",),
    ]
    assert ask(modules=["taskleak_app"])[0] == ("taskleak_app.ANGRY['a'][1].content",)


def test_no_reference_is_kept(spawn: Any, ask: Any, left: list[Any], app: Any, loop: Loop) -> None:
    spawn(forever())
    app.KEPT = [Poller(left[0])]
    assert ask()[0]
    gone = [weakref.ref(left[0]), weakref.ref(app.KEPT[0])]
    left[0].cancel()
    app.KEPT.clear()
    left.clear()
    loop.run_until_complete(asyncio.sleep(0))
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


STATEMENT = re.compile(
    r"(digraph ObjectGraph \{|\}|  node\[.*\];|"
    r"  \w+( -> ?\w+|->\w+)?\s*(\[([\w]+=(\"([^\"\\]|\\.)*\"|[\w.]+),?\s?)+\])?;)"
)


def well_formed(text: str) -> bool:
    """Tell whether each line is one statement of DOT."""
    return all(STATEMENT.fullmatch(line) for line in text.splitlines())


def test_drawing(spawn: Any, left: list[Any], app: Any, tmp_path: Path) -> None:
    pytest.importorskip("objgraph")
    spawn(forever())
    app.POOL = {'qu"ote\n<b>\\': Poller(left[0]), "angry": Angry(left[0])}
    stream = io.StringIO()
    draw(left, stream)
    text = stream.getvalue()
    assert well_formed(text), [line for line in text.splitlines() if not STATEMENT.fullmatch(line)]
    assert text.startswith("digraph ObjectGraph {")
    assert "taskleak_app" in text
    assert "['POOL']" in text
    assert "._task" in text
    assert "Angry" in text
    draw(left, str(tmp_path / "held.dot"))
    assert well_formed((tmp_path / "held.dot").read_text(encoding="utf-8"))


def test_drawing_a_circle(left: list[Any]) -> None:
    pytest.importorskip("objgraph")
    left.append(Poller(None))
    left[0]._task = [left[0]]
    stream = io.StringIO()
    draw(left, stream)
    assert "_task" in stream.getvalue()
    assert well_formed(stream.getvalue())
    left[0]._task = None


def test_drawing_nothing() -> None:
    pytest.importorskip("objgraph")
    stream = io.StringIO()
    draw([], stream)
    assert well_formed(stream.getvalue())


WRAPS: tuple[Callable[[Any], Any], ...] = (
    lambda x: type("Held", (), {"value": x, "__module__": "taskleak_app"}),
    Poller,
    lambda x: [None, x],
    lambda x: (x,),
    lambda x: {"key": x},
    lambda x: {3: x},
    lambda x: functools.partial(print, x, end=None),
    lambda x: functools.partial(print, end=x),
    lambda x: Poller(x).tick,
    lambda x: types.SimpleNamespace(a=None, b=x),
    lambda x: collections.deque([x]),
    lambda x: collections.OrderedDict(first=x),
)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("seed", range(30))
def test_what_is_told_leads_to_it(
    spawn: Any, ask: Any, left: list[Any], app: Any, seed: int, backwards: bool
) -> None:
    chosen = random.Random(seed)  # noqa: S311 -- the same each time
    crowd: list[Any] = [None] * (entrances.MOST_ITEMS if backwards else 0)
    for _ in range(3):
        spawn(forever())
        held = left[-1]
        for _ in range(chosen.randrange(4)):
            held = chosen.choice(WRAPS[1:] if backwards else WRAPS)(held)
        crowd.append(held)
        del held
    app.CROWD = crowd
    del crowd
    for number, chains in enumerate(ask(modules=["taskleak_app"])):
        assert len(chains) == 1
        assert eval(chains[0], {"taskleak_app": app}) is left[number], chains[0]  # noqa: S307
