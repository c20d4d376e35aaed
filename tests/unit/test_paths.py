"""How does a step between two objects read?"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import types
from collections import OrderedDict, deque, namedtuple
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, NamedTuple

import pytest

from pytest_taskleak import safely
from pytest_taskleak.explain import anatomy
from pytest_taskleak.explain.paths import containers_off, parts, step_at


def short(code: CodeType, line: int) -> str:
    """Return a place relative to the function, so that tests need no line numbers."""
    return f"here:{line - code.co_firstlineno}"


def read(*chain: Any, root: str = "app.ROOT", name: str | None = None) -> str:
    return " -> ".join(parts(chain, short, root=root, name=name))


class Target:
    """What is held."""


class Box:
    """Has a dict."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def method(self) -> None:
        """Do nothing."""


class Slotted:
    """Has a slot."""

    __slots__ = ("content", "empty")

    def __init__(self, content: Any) -> None:
        self.content = content


class Pool(dict[str, Any]):
    """A dict with attributes."""

    leader: Any = None


class Pair(NamedTuple):
    """A tuple with names."""

    left: Any
    right: Any


Old: Any = namedtuple("Old", "first second")  # noqa: PYI024 -- the old way, too


class Angry:
    """Objects to whatever is asked."""

    def __init__(self, content: Any) -> None:
        object.__setattr__(self, "content", content)

    def __getattribute__(self, name: str) -> Any:
        return pytest.fail(f"asked for {name}")

    def __repr__(self) -> str:
        return pytest.fail("repr")

    def __eq__(self, other: object) -> bool:
        return pytest.fail("compared")

    def __hash__(self) -> int:
        return 1

    def __bool__(self) -> bool:
        return pytest.fail("bool")

    def __len__(self) -> int:
        return pytest.fail("len")


TARGET = Target()


@pytest.mark.parametrize(
    ("holder", "text"),
    [
        (lambda x: {"main": x}, "['main']"),
        (lambda x: {7: x}, "[7]"),
        (lambda x: {True: x}, "[True]"),
        (lambda x: {Target: x}, "[<type>]"),
        (lambda x: {Angry(0): x}, "[<Angry>]"),
        (lambda x: {"long" * 20: x}, f"['{('long' * 20)[:37]}...']"),
        (lambda x: {x: 1}, "{key}"),
        (lambda x: [0, x], "[1]"),
        (lambda x: (0, 0, x), "[2]"),
        (lambda x: deque([x]), "[0]"),
        (lambda x: {x}, "{member}"),
        (lambda x: frozenset([x]), "{member}"),
        (lambda x: OrderedDict(a=x), "['a']"),
        (lambda x: Pair(0, x), ".right"),
        (lambda x: tuple.__new__(Old, (x, 0)), ".first"),
        (lambda x: Pool(a=x), "['a']"),
        (Angry, ".content"),
        (lambda x: [Angry(0), x], "[1]"),
        (Box, ".content"),
        (Slotted, ".content"),
        (functools.partial, ".func"),
        (lambda x: types.MethodType(print, x), ".__self__"),
        (lambda x: types.SimpleNamespace(deep=x), ".deep"),
    ],
)
def test_one_step(holder: Callable[[Any], Any], text: str) -> None:
    def target() -> None:
        """Be something that may be called."""

    made = holder(target)
    assert read(made, target) == f"app.ROOT{text}"


def test_the_dict_of_an_object_is_not_shown() -> None:
    box = Box(TARGET)
    assert read(box, box.__dict__, TARGET) == "app.ROOT.content"
    assert read([box], box, box.__dict__, TARGET) == "app.ROOT[0].content"
    pool = Pool()
    pool.leader = TARGET
    assert read(pool, pool.__dict__, TARGET) == "app.ROOT.leader"
    assert read(pool, TARGET) == "app.ROOT.leader"


def test_arguments_of_a_partial() -> None:
    made = functools.partial(print, 1, TARGET, end=TARGET)
    assert read(made, made.args, TARGET) == "app.ROOT.args[1]"
    assert read(made, made.keywords, TARGET) == "app.ROOT.keywords['end']"


def test_module_and_class() -> None:
    module = types.ModuleType("app")
    vars(module)["POOL"] = {"main": TARGET}
    pool = vars(module)["POOL"]
    assert read(module, vars(module), pool, TARGET, root="app") == "app.POOL['main']"

    class Registry:
        known = [TARGET]  # noqa: RUF012 -- that is the point

    assert read(Registry, Registry.known, TARGET, root="app.Registry") == "app.Registry.known[0]"
    assert read(Registry, vars(Registry), Registry.known, TARGET) == "app.ROOT.known[0]"
    assert read(Registry(), Registry, Registry.known, TARGET) == "app.ROOT.__class__.known[0]"


def test_functions() -> None:
    held = Box(TARGET)

    def inner(_first: Any = held, *, _key: Any = held) -> Any:
        return held

    closure, cell = inner.__closure__, (inner.__closure__ or ())[0]
    name = inner.__qualname__
    assert read(inner, closure, cell, held, TARGET) == f"app.ROOT -> closure 'held' of {name} -> held.content"
    assert (
        read(inner, inner.__defaults__, held, TARGET)
        == f"app.ROOT -> default '_first' of {name} -> _first.content"
    )
    assert read(inner, inner.__kwdefaults__, held) == f"app.ROOT -> default '_key' of {name}"
    vars(inner)["mark"] = TARGET
    assert read(inner, inner.__dict__, TARGET) == "app.ROOT.mark"
    assert read(inner, inner.__globals__) == f"app.ROOT -> inside function {name}"


def test_cached_results() -> None:
    @functools.cache
    def make(_: int) -> Target:
        return TARGET

    make(1)
    assert read(make, TARGET) == f"app.ROOT -> the cache of {make.__qualname__}"
    assert read(make, {1: TARGET}, TARGET) == f"app.ROOT -> the cache of {make.__qualname__}"


def test_context_variables() -> None:
    variable: contextvars.ContextVar[list[Target]] = contextvars.ContextVar("request")
    context = contextvars.copy_context()
    context.run(variable.set, [TARGET])
    assert read(context, context[variable], TARGET) == "app.ROOT -> ContextVar 'request' -> request[0]"
    assert read(context, TARGET) == "app.ROOT -> a context"


async def outer(box: Box) -> None:
    """Keep something, and wait in another coroutine."""
    shared = box

    def use() -> Box:
        return shared

    await inner_wait(box.content)
    use()


async def inner_wait(thing: Any) -> None:
    """Wait."""
    held = [thing]
    await asyncio.get_running_loop().create_future()
    held.clear()


@pytest.fixture
def suspended() -> Iterator[tuple[asyncio.Task[None], Box]]:
    """A task that keeps something in its locals."""
    loop = asyncio.new_event_loop()
    box = Box(TARGET)
    task = loop.create_task(outer(box), name="keeper")
    loop.run_until_complete(asyncio.sleep(0))
    yield task, box
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()


def test_locals_of_a_suspended_coroutine(suspended: tuple[asyncio.Task[None], Box]) -> None:
    task, box = suspended
    coro: Any = task.get_coro()
    inner = coro.cr_await
    cell = types.CellType(box)
    assert read(coro, box, TARGET, root="") == "local 'box' of outer (here:7) -> box.content"
    assert read(coro, inner, TARGET, root="") == "local 'thing' of inner_wait (here:3)"
    assert read(coro, cell, box, root="") == "local 'box' of outer (here:7)"
    assert read(task, coro, box, root="task 'keeper'", name="") == (
        "task 'keeper' -> local 'box' of outer (here:7)"
    )
    assert read(coro, object(), root="") == "in use in outer (here:7)"
    assert read(inner, inner.cr_frame.f_locals["held"], TARGET, root="") == (
        "local 'held' of inner_wait (here:3) -> held[0]"
    )


def test_generators_and_frames() -> None:
    def count(thing: Any) -> Iterator[Any]:
        yield thing

    running = count(TARGET)
    assert read(running, TARGET, root="") == f"local 'thing' of {count.__qualname__} (here:0)"
    next(running)
    frame = running.gi_frame  # type: ignore[attr-defined]
    assert read(frame, TARGET, root="a traceback", name="") == (
        f"a traceback -> local 'thing' of {count.__qualname__} (here:1)"
    )
    running.close()  # type: ignore[attr-defined]
    assert read(running, TARGET, root="x") == "x"


def test_what_has_no_name_is_told_by_its_type() -> None:
    assert read(iter([TARGET]), TARGET) == "app.ROOT -> inside a list_iterator"
    assert read([], TARGET) == "app.ROOT -> inside a list"
    assert read(Box(0), Target) == "app.ROOT -> inside a Box"


def test_no_code_of_the_user_runs() -> None:
    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            return pytest.fail(f"class asked for {name}")

    class Masked(metaclass=Meta):
        __slots__ = ("content",)

        @property
        def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
            return pytest.fail("the property was run")

    masked = object.__new__(Masked)
    safely.class_dict(Masked)["content"].__set__(masked, TARGET)
    assert read(masked, TARGET) == "app.ROOT.content"
    assert safely.own_dict(masked) is None
    assert read([masked], masked, object()).startswith("app.ROOT[0] -> inside a ")
    assert anatomy.type_name(Masked).endswith("Masked")
    assert safely.module_name(Masked) == __name__
    assert safely.module_name(type("Odd", (), {"__module__": 3})) == ""
    angry = Angry(TARGET)
    assert read({"a": angry}, angry, TARGET) == "app.ROOT['a'].content"
    method = types.MethodType(print, angry)
    assert read(method, angry, TARGET) == "app.ROOT.__self__.content"


def test_words_begin_a_new_part() -> None:
    box = Box(TARGET)
    assert parts([box, TARGET], short, root="fixture 'broker' (session)", name="") == [
        "fixture 'broker' (session)",
        ".content",
    ]
    assert parts([box], short, root="fixture 'broker' (session)", name="") == ["fixture 'broker' (session)"]
    assert step_at([box, TARGET], 0, short).used == 1


def test_the_inside_of_a_primitive_is_cut_off() -> None:
    waiters = deque([TARGET])
    box = Box(waiters)
    assert containers_off([[box], box, box.__dict__, waiters, TARGET]) == [[box], box]
    assert containers_off([waiters, TARGET]) == [waiters]
