"""By what can a thing be held?  One maker for each kind of holder.

A maker gets one value and returns what holds it.  No maker keeps the value anywhere else, and what a holder
would run (a callback, a finaliser) is `fire`, which does everything that can be done with what it reaches.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import contextvars
import ctypes
import dataclasses
import enum
import functools
import itertools
import logging
import operator
import threading
import types
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

HELD: contextvars.ContextVar[Any] = contextvars.ContextVar("held")
"""Set in contexts that hold something."""
FOREVER = type("Forever", (), {})()
"""A key that lives as long as the process."""
DROPPABLE: list[Any] = []
"""Things that code which runs drops in the end."""
RAN: list[str] = []
"""Code of the user that ran though nobody should have run it."""
SPIES: list[Any] = []
"""Things that get hold of the frames that run, until the prover is asked."""
FILLER = tuple(range(25_000))

FIRE: list[Callable[..., None]] = []
"""What `fire` does; set by the world."""
SERIAL = [0]
"""The number of the world that is being made."""


def fire(serial: int, thing: Any, *_: Any) -> None:
    """Do what code that reaches `thing` could do, if the world still is there and runs on."""
    for action in FIRE:
        action(serial, thing)


def later(thing: Any) -> functools.partial[None]:
    """Return a callback that reaches a thing."""
    return functools.partial(fire, SERIAL[0], thing)


class Box:
    """An object with one attribute."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def use(self) -> Any:
        """Return what is held."""
        return self.held


class Slots:
    """An object without a dict."""

    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held


class Finalized(Box):
    """Does what it can when it dies."""

    def __init__(self, held: Any) -> None:
        super().__init__(held)
        self.serial = SERIAL[0]

    def __del__(self) -> None:
        fire(self.serial, self.held)


class Bytes(bytearray):
    """Bytes with an attribute."""

    held: Any


@dataclasses.dataclass(eq=False)
class Data:
    """A dataclass."""

    held: Any


class TouchedError(Exception):
    """An odd object was touched."""


ASKING: list[bool] = []
"""Not empty while a prover looks."""


def _told(name: str, usual: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that does what is usual, but never while a prover looks."""

    def method(*args: Any) -> Any:
        if ASKING:
            RAN.append(name)
            raise TouchedError(name)
        return usual(*args)

    return method


class Odd:
    """An object that must not be touched: whatever it is asked, it is told on."""

    def __init__(self, held: Any) -> None:
        object.__setattr__(self, "held", held)

    __getattr__ = _told("__getattr__", object.__getattribute__)
    __eq__ = _told("__eq__", object.__eq__)
    __bool__ = _told("__bool__", lambda self: True)
    __len__ = _told("__len__", lambda self: 1)
    __iter__ = _told("__iter__", lambda self: iter(()))
    __repr__ = _told("__repr__", object.__repr__)
    __contains__ = _told("__contains__", lambda self, other: False)
    __hash__ = _told("__hash__", object.__hash__)
    __class__: Any = property(_told("__class__", lambda self: Odd))
    __dict__: Any = property(_told("__dict__", lambda self: {}))


class OddList(list[Any]):
    """A list that must not be asked anything."""

    __len__ = _told("list.__len__", list.__len__)
    __iter__ = _told("list.__iter__", list.__iter__)
    __eq__ = _told("list.__eq__", list.__eq__)
    __bool__ = _told("list.__bool__", lambda self: True)
    __hash__ = _told("list.__hash__", object.__hash__)  # type: ignore[assignment]
    __class__: Any = property(_told("list.__class__", lambda self: OddList))


class OddMeta(type):
    """A metaclass that must not be asked anything."""

    __getattr__ = _told("type.__getattr__", type.__getattribute__)
    __instancecheck__ = _told("type.__instancecheck__", type.__instancecheck__)
    __subclasscheck__ = _told("type.__subclasscheck__", type.__subclasscheck__)
    __eq__ = _told("type.__eq__", type.__eq__)
    __hash__ = _told("type.__hash__", type.__hash__)


class OddClass(metaclass=OddMeta):
    """Its class is odd."""

    def __init__(self, held: Any) -> None:
        self.held = held


@types.coroutine
def pause() -> Generator[Any, None, None]:
    """Suspend, with nothing to be woken by."""
    yield


async def keeper(held: Any) -> Any:
    """Hold a thing in a coroutine."""
    await pause()
    return held


async def async_keeper(held: Any) -> AsyncIterator[Any]:
    """Hold a thing in an async generator."""
    yield None
    yield held


def generator_keeper(held: Any) -> Iterator[Any]:
    """Hold a thing in a generator."""
    yield None
    yield held


def careful_keeper(serial: int, held: Any) -> Iterator[Any]:
    """Hold a thing in a generator, and use it when that is closed."""
    try:
        yield None
    finally:
        fire(serial, held)


def _closure(held: Any) -> Any:
    return lambda: held


def _default(held: Any) -> Any:
    return lambda kept=held: kept


def _kwdefault(held: Any) -> Any:
    return lambda *, kept=held: kept


def _function(held: Any) -> Any:
    def function() -> None:
        """Do nothing."""

    function.held = held  # type: ignore[attr-defined]
    return function


def _method(held: Any) -> Any:
    return Box(held).use


def _module(held: Any) -> Any:
    module = types.ModuleType("taskleak_fuzz_module")
    module.held = held  # type: ignore[attr-defined]
    return module


def _started(generator: Any) -> Any:
    next(generator)
    return generator


def _coroutine(held: Any) -> Any:
    coroutine = keeper(held)
    coroutine.send(None)
    return coroutine


def _wrapper(held: Any) -> Any:
    wrapper = keeper(held).__await__()
    next(wrapper)
    return wrapper


def _agen(held: Any) -> Any:
    generator: Any = async_keeper(held)
    with contextlib.suppress(StopIteration):
        generator.asend(None).send(None)
    return generator


def _lru(held: Any) -> Any:
    once = [held]
    cached = functools.lru_cache(maxsize=None)(lambda _: once.pop())
    cached(1)
    return cached


def _context(held: Any) -> Any:
    context = contextvars.Context()
    context.run(HELD.set, held)
    return context


def _weakset(held: Any) -> Any:
    return weakref.WeakSet((held,))


def _weakvalue(held: Any) -> Any:
    return weakref.WeakValueDictionary({"held": held})


def _weakkey(held: Any) -> Any:
    table: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
    table[FOREVER] = held
    return table


def _weakkey_dropped(held: Any) -> Any:
    table: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
    DROPPABLE.append(Box(None))
    table[DROPPABLE[-1]] = held
    return table


def _token(held: Any) -> Any:
    """Return what a context variable was set back to."""
    context = contextvars.Context()
    context.run(HELD.set, held)
    return context.run(HELD.set, None)


def _weakmethod(held: Any) -> Any:
    for name in ("set", "put", "acquire", "use"):
        method = getattr(type(held), name, None)
        if isinstance(method, types.FunctionType):
            return weakref.WeakMethod(types.MethodType(method, held))
    return weakref.ref(held)


def _watch(held: Any) -> Any:
    """Return a weak reference, to something that others hold, whose callback reaches the thing."""
    watched = Box(None)
    DROPPABLE.append(watched)
    return weakref.ref(watched, later(held))


def _finalize(held: Any) -> Any:
    watched = Box(None)
    weakref.finalize(watched, fire, SERIAL[0], held)
    return watched


def _context_error(held: Any) -> Any:
    error = KeyError()
    error.__context__ = ValueError(held)
    return error


def _without_maker(error: BaseException) -> BaseException:
    tail = error.__traceback__
    return error.with_traceback(tail.tb_next if tail else None)


def _traceback(held: Any) -> Any:
    """Return an exception with the frame of a function that is over and had the thing in a local."""

    def fail(held: Any) -> None:
        raise KeyError

    try:
        fail(held)
    except KeyError as error:
        return _without_maker(error)


def _memoryview(held: Any) -> Any:
    data = Bytes(b"x")
    data.held = held
    return memoryview(data)


def _tee(held: Any) -> Any:
    one, two = itertools.tee(iter([held]))
    next(two)  # the value now is in the shared buffer
    return one


def _local(held: Any) -> Any:
    local = threading.local()
    local.held = held
    return local


def _ring(held: Any) -> Any:
    box: Any = Box(held)
    box.self = box
    return box


def _cf_callback(held: Any) -> Any:
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    future.add_done_callback(later(held))
    return future


def _cf_result(held: Any) -> Any:
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    future.set_result(held)
    return future


def _handle(held: Any) -> Any:
    return asyncio.Handle(fire, (SERIAL[0], held), asyncio.get_running_loop())


def _result(held: Any) -> Any:
    future = asyncio.get_running_loop().create_future()
    future.set_result(held)
    return future


def _error(held: Any) -> Any:
    future = asyncio.get_running_loop().create_future()
    future.set_exception(ValueError(held))
    future.exception()
    return future


def _queue(held: Any) -> Any:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    queue.put_nowait(held)
    return queue


def _spy(held: Any) -> Any:
    spy: Any = Box(held)
    spy.frames = []
    SPIES.append(spy)
    return spy


def _condition(held: Any) -> Any:
    return asyncio.Condition(held) if type(held) is asyncio.Lock else [held]


def _exitstack(held: Any) -> Any:
    stack = contextlib.ExitStack()
    stack.callback(fire, SERIAL[0], held)
    return stack


def _prim_method(held: Any) -> Any:
    """Return the method by which a primitive is completed: a builtin one of futures, a plain one of others."""
    for name in ("set_result", "set", "put_nowait", "release", "notify_all", "abort"):
        if hasattr(type(held), name):
            return getattr(held, name)
    return types.MethodType(fire, held)


HOLDERS: dict[str, Callable[[Any], Any]] = {
    "list": lambda x: [x],
    "tuple": lambda x: (x,),
    "dict_value": lambda x: {"held": x},
    "dict_key": lambda x: {x: 1},
    "set": lambda x: {x},
    "frozenset": lambda x: frozenset((x,)),
    "deque": lambda x: collections.deque((x,)),
    "defaultdict": lambda x: collections.defaultdict(list, {1: x}),
    "ordereddict": lambda x: collections.OrderedDict({1: x}),
    "cell": types.CellType,
    "closure": _closure,
    "default": _default,
    "kwdefault": _kwdefault,
    "func_dict": _function,
    "partial": later,
    "partial_kw": lambda x: functools.partial(dict, held=x),
    "method": _method,
    "builtin_method": lambda x: [x].append,
    "prim_method": _prim_method,
    "staticmethod": lambda x: staticmethod(_closure(x)),
    "classmethod": lambda x: classmethod(_closure(x)),
    "property": lambda x: property(_closure(x)),
    "instance": Box,
    "slots": Slots,
    "class_attr": lambda x: type("Holding", (), {"held": x, "__fuzz__": True}),
    "module_attr": _module,
    "generator_new": generator_keeper,
    "generator": lambda x: _started(generator_keeper(x)),
    "generator_finally": lambda x: _started(careful_keeper(SERIAL[0], x)),
    "coroutine_new": keeper,
    "coroutine": _coroutine,
    "coroutine_wrapper": _wrapper,
    "agen_new": async_keeper,
    "agen": _agen,
    "list_iter": lambda x: iter([x]),
    "dict_iter": lambda x: iter({1: x}.values()),
    "dict_view": lambda x: {1: x}.items(),
    "map": lambda x: map(str, [x]),
    "filter": lambda x: filter(None, [x]),
    "zip": lambda x: zip([x], strict=True),
    "enumerate": lambda x: enumerate([x]),
    "reversed": lambda x: reversed([x]),
    "callable_iter": lambda x: iter(_closure(x), None),
    "lru_cache": _lru,
    "context": _context,
    "ref": weakref.ref,
    "proxy": weakref.proxy,
    "weakset": _weakset,
    "weakvalue": _weakvalue,
    "weakkey": _weakkey,
    "weakmethod": _weakmethod,
    "watch": _watch,
    "finalize": _finalize,
    "exception": ValueError,
    "exception_context": _context_error,
    "traceback": _traceback,
    "memoryview": _memoryview,
    "py_object": ctypes.py_object,
    "py_array": ctypes.py_object * 1,
    "cfunc": lambda x: ctypes.CFUNCTYPE(None)(later(x)),
    "tee": _tee,
    "chain": lambda x: itertools.chain([x]),
    "cycle": lambda x: itertools.cycle([x]),
    "repeat": itertools.repeat,
    "namespace": lambda x: types.SimpleNamespace(held=x),
    "mappingproxy": lambda x: types.MappingProxyType({1: x}),
    "enum": lambda x: enum.Enum("Held", {"ONE": Box(x)}),
    "dataclass": Data,
    "finalized": Finalized,
    "ring": _ring,
    "record": lambda x: logging.makeLogRecord({"args": (x,)}),
    "cf_callback": _cf_callback,
    "cf_result": _cf_result,
    "handle": _handle,
    "future_result": _result,
    "future_error": _error,
    "queue": _queue,
    "condition": _condition,
    "spy": _spy,
    "weakkey_dropped": _weakkey_dropped,
    "contextvar_default": lambda x: contextvars.ContextVar("default", default=x),
    "token": _token,
    "generic": lambda x: types.GenericAlias(list, (x,)),
    "slice": slice,
    "methodcaller": lambda x: operator.methodcaller("use", x),
    "thread": lambda x: threading.Thread(target=fire, args=(SERIAL[0], x)),
    "local": _local,
    "exitstack": _exitstack,
    "super": lambda x: super(Box, Box(x)),
    "odd": Odd,
    "oddlist": lambda x: OddList((x,)),
    "oddmeta": OddClass,
    "big": lambda x: [*FILLER, x],
    "own": lambda x: {"own": x},
}

WEAK = frozenset({"ref", "proxy", "weakset", "weakvalue", "weakmethod"})
"""Holders that reach what they hold as long as it lives."""
SILENT = frozenset({"traceback", "own"})
"""Holders that keep what they hold alive and from which nothing is reached, by the definition of the claim."""
FINAL = frozenset({"finalized", "watch", "finalize"})
"""Holders from which code runs with what they hold though nobody touches them."""
DOUBTFUL = frozenset({"generator_finally", "thread"})
"""The same, but whether the claim speaks of it is a matter of wording: neither expected nor forbidden."""


def put_into(kind: str, holder: Any, thing: Any) -> None:
    """Let a holder that can be changed hold one thing more."""
    if kind == "set":
        holder.add(thing)
    elif kind in ("list", "deque"):
        holder.append(thing)
    elif kind == "dict_value":
        holder["more"] = thing
    else:
        holder.more = thing
