"""From where can code run, and how does it reach a thing?

A maker gets the world and one thing and returns `reach` and `drop`.  `reach` goes the way that live code would
go: it returns what it finds, or makes code run that does what it can (`fire`).  Neither keeps the thing: only
the anchor itself does.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextvars
import ctypes
import functools
import gc
import itertools
import signal
import socket
import sys
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from holders import DROPPABLE, SERIAL, Box, fire, later

MODULE = types.ModuleType("taskleak_fuzz_anchors")
"""A module of the program: its attributes are global names."""
sys.modules[MODULE.__name__] = MODULE
GLOBAL: list[Any] = []
"""A global list."""
LOCAL = threading.local()
NUMBERS = itertools.count()
CURRENT: contextvars.ContextVar[Any] = contextvars.ContextVar("current")

Pair = tuple[Callable[[], Any], Callable[[], Any]]


class Surroundings(Protocol):
    """What a maker needs of the world."""

    loop: asyncio.AbstractEventLoop
    delay: float
    own: list[Any]
    tasks: list[asyncio.Task[Any]]
    frames: list[Any]
    generators: list[Any]


class Class:
    """A class of the program."""


def _none() -> None:
    """Reach nothing."""


def nothing(world: Surroundings, thing: Any) -> Pair:
    """Hold nothing."""
    return _none, _none


def global_list(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing in a global list."""
    GLOBAL.append(thing)
    place = len(GLOBAL) - 1
    return lambda: GLOBAL[place], GLOBAL.clear


def _named(owner: Any, thing: Any) -> Pair:
    name = f"fuzz_{next(NUMBERS)}"
    setattr(owner, name, thing)
    return lambda: getattr(owner, name, None), lambda: delattr(owner, name)


def module(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing in a module."""
    return _named(MODULE, thing)


def in_sys(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing in an attribute of sys."""
    return _named(sys, thing)


def in_class(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing in a class attribute."""
    return _named(Class, thing)


def _at_exit(serial: int, thing: Any) -> None:
    fire(serial, thing)


def at_exit(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing by a function that runs when the process ends."""
    atexit.register(_at_exit, SERIAL[0], thing)
    return _none, lambda: atexit.unregister(_at_exit)


def frame(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing in a local of the function that asks; `world.framed` sees to it."""
    world.frames.append(thing)
    return _none, _none


def generator_frame(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing in a local of a generator that runs."""
    world.generators.append(thing)
    return _none, _none


class Gate:
    """Lets one thread wait until it may go on."""

    def __init__(self) -> None:
        self.parked = threading.Event()
        self.open = threading.Event()


def _park(gate: Gate, loop: asyncio.AbstractEventLoop, serial: int, box: list[Any]) -> None:
    thing = box.pop()
    gate.parked.set()
    gate.open.wait()
    if not loop.is_closed():
        loop.call_soon_threadsafe(fire, serial, thing)


def thread(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing in a local of a function that waits in another thread."""
    gate = Gate()
    parked = threading.Thread(target=_park, args=(gate, world.loop, SERIAL[0], [thing]), daemon=True)
    parked.start()
    gate.parked.wait()

    def release() -> None:
        gate.open.set()
        parked.join()

    return release, release


def _pool(world: Surroundings, thing: Any, *, queued: bool) -> Pair:
    pool = concurrent.futures.ThreadPoolExecutor(1)
    gate = Gate()
    if queued:
        pool.submit(gate.open.wait)
        pool.submit(world.loop.call_soon_threadsafe, fire, SERIAL[0], thing)
    else:
        pool.submit(_park, gate, world.loop, SERIAL[0], [thing])
        gate.parked.wait()

    def release() -> None:
        gate.open.set()
        pool.shutdown()

    return release, release


def queued(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing by work that no thread of an executor has begun."""
    return _pool(world, thing, queued=True)


def working(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing by work that a thread of an executor does."""
    return _pool(world, thing, queued=False)


def timer(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing by a timer."""
    world.loop.call_later(world.delay, fire, SERIAL[0], thing)
    return _none, _none


def timer_cancel(world: Surroundings, thing: Any) -> Pair:
    """Let a timer cancel a task."""
    world.loop.call_later(world.delay, thing.cancel)
    return _none, _none


def _set_nothing() -> None:
    CURRENT.set([])


def contextvar(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing in the current context."""
    CURRENT.set([*CURRENT.get([]), thing])
    return lambda: CURRENT.get([]), _set_nothing


def local(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing in an attribute of a threading.local."""
    return _named(LOCAL, thing)


def ready(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing by a callback that runs in the loop's next turn."""
    world.loop.call_soon(fire, SERIAL[0], thing)
    return _none, _none


def _read(end: socket.socket, serial: int, thing: Any) -> None:
    end.recv(100)
    fire(serial, thing)


def reader(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing by a callback that runs when something arrives at a socket."""
    one, two = socket.socketpair()
    one.setblocking(False)
    world.loop.add_reader(one, _read, one, SERIAL[0], thing)

    def drop() -> None:
        world.loop.remove_reader(one)
        one.close()
        two.close()

    return lambda: two.send(b"x") and None, drop


def signal_loop(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing by the loop's handler of a signal."""
    world.loop.add_signal_handler(signal.SIGUSR1, fire, SERIAL[0], thing)
    return lambda: signal.raise_signal(
        signal.SIGUSR1
    ), lambda: world.loop.remove_signal_handler(signal.SIGUSR1) and None


class Handler:
    """Handles a signal, and is shown without what it holds."""

    def __init__(self, thing: Any) -> None:
        self.call = later(thing)

    def __call__(self, number: int, frame: Any) -> None:
        self.call()


def signal_plain(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing by the interpreter's handler of a signal."""
    signal.signal(signal.SIGUSR2, Handler(thing))
    return lambda: signal.raise_signal(
        signal.SIGUSR2
    ), lambda: signal.signal(signal.SIGUSR2, signal.SIG_DFL) and None


def incref(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing from C: nothing that Python sees refers to it."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
    place = id(thing)

    def reach() -> Any:
        return ctypes.cast(place, ctypes.py_object).value

    return reach, lambda: ctypes.pythonapi.Py_DecRef(ctypes.py_object(reach()))


def callback(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing by the callback of a future that others hold."""
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    future.add_done_callback(later(thing))
    reach, drop = _named(MODULE, future)
    return lambda: None if reach().done() else reach().set_result(None), drop


def weak(world: Surroundings, thing: Any) -> Pair:
    """Know a thing by a weak reference."""
    return _named(MODULE, weakref.ref(thing))


def weak_proxy(world: Surroundings, thing: Any) -> Pair:
    """Know a thing by a proxy."""
    return _named(MODULE, [weakref.proxy(thing)])


def weak_set(world: Surroundings, thing: Any) -> Pair:
    """Know a thing by a weak set."""
    return _named(MODULE, weakref.WeakSet((thing,)))


def _handle_error(serial: int, thing: Any, loop: Any, context: Any) -> None:
    fire(serial, thing)


def handler(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing by the loop's handler of exceptions."""
    world.loop.set_exception_handler(functools.partial(_handle_error, SERIAL[0], thing))
    return lambda: world.loop.call_exception_handler(
        {"message": ""}
    ), lambda: world.loop.set_exception_handler(None)


def collector(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing by a callback of the garbage collector."""
    gc.callbacks.append(later(thing))
    place = len(gc.callbacks) - 1
    return lambda: gc.collect(0) and None, lambda: gc.callbacks.__delitem__(place)


def finalize(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing by the finaliser of something that others hold and will drop."""
    watched = Box(None)
    weakref.finalize(watched, fire, SERIAL[0], thing)
    DROPPABLE.append(watched)
    return _none, _none


async def _fresh(serial: int, thing: Any) -> None:
    await asyncio.sleep(0)
    fire(serial, thing)


def fresh(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing in a task that has not begun."""
    world.tasks.append(world.loop.create_task(_fresh(SERIAL[0], thing), name="fresh"))
    return _none, _none


def own(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing in a container of the harness, which does not count."""
    world.own.append({"fixture": thing})
    return _none, _none


def task_context(world: Surroundings, thing: Any) -> Pair:
    """Hold a thing in the context of a callback that is due."""
    context = contextvars.copy_context()
    context.run(CURRENT.set, [thing])
    world.loop.call_soon(_use_context, SERIAL[0], context=context)
    return _none, _none


def _use_context(serial: int) -> None:
    fire(serial, CURRENT.get([]))


ANCHORS: dict[str, Callable[[Any, Any], Pair]] = {
    "none": nothing, "global": global_list, "module": module, "sys": in_sys, "class": in_class, "atexit": at_exit,
    "frame": frame, "thread": thread, "timer": timer, "timer_cancel": timer_cancel, "contextvar": contextvar,
    "local": local, "ready": ready, "reader": reader, "signal_loop": signal_loop, "signal": signal_plain,
    "queued": queued, "working": working, "incref": incref, "callback": callback, "weak": weak,
    "weak_proxy": weak_proxy, "weak_set": weak_set, "handler": handler, "gc": collector, "finalize": finalize,
    "own": own, "generator_frame": generator_frame, "task_context": task_context, "fresh": fresh,
}  # fmt: skip

WEAK = frozenset({"weak", "weak_proxy", "weak_set"})
"""Anchors that reach a thing as long as it lives."""
DEAD = frozenset({"none", "own"})
"""Anchors from which nothing is reached."""
CANCELS = frozenset({"timer_cancel"})
"""Anchors that cancel a task."""
