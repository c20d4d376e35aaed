"""Which readers and writers (`loop.add_reader`, `loop.add_writer`) are left registered?

One whose callback wakes a waiting task ends with that task, which answers for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from pytest_taskleak.adapt import asyncio_, network, sockets
from pytest_taskleak.adapt.asyncio_ import UVLOOP
from pytest_taskleak.adapt.futures import bound_to, describe
from pytest_taskleak.detectors.base import Detector, Ending, Patch, Recorder
from pytest_taskleak.model import Code, Resource
from pytest_taskleak.safely import is_a

TABLE = "_taskleak_readers"
"""The attribute in which a loop carries its registrations: they live as long as it does."""
DESCRIPTOR = ("fd", "fileobj")
"""What stock loops and uvloop call the first argument."""


class Registration:
    """One descriptor that a loop watches for somebody; kept by its loop alone."""

    def __init__(self, loop: Any, mode: str, given: Any, number: int, call: tuple[Any, ...]) -> None:
        self.loop = loop
        self.mode = mode
        self.given = given
        self.number = number
        self.call = call
        self.open = True


class Readers(Detector):
    """Callbacks that a loop runs when a descriptor is ready."""

    kind = "reader"
    rank = 90
    tied: ClassVar[tuple[Ending, ...]] = ("close",)
    codes: ClassVar = {
        "TL541": Code(
            title="reader or writer left registered",
            meaning="An add_reader() or add_writer() callback was still registered when its owner's scope "
            "had closed, or when its loop was closed.",
            cause="A descriptor that is closed without remove_reader(); a client that nobody closes.",
            cure="Call remove_reader() or remove_writer() before the descriptor is closed.",
        ),
    }

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        record = recorder(self.kind, mark=True)

        def wrap_add(mode: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
            def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
                def add(loop: Any, /, *args: Any, **options: Any) -> Any:
                    result = original(loop, *args, **options)
                    registration = register(loop, mode, args, options)
                    if registration is not None:
                        record(registration, sys._getframe(1))
                    return result

                return add

            return wrap

        def wrap_remove(mode: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
            def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
                def remove(loop: Any, /, *args: Any, **options: Any) -> Any:
                    given = args[0] if args else handed(options, *DESCRIPTOR)
                    number = sockets.descriptor(given)
                    result = original(loop, *args, **options)
                    unregister(loop, mode, given, number)
                    return result

                return remove

            return wrap

        for mode in ("reader", "writer"):
            without = f"{mode}s of loops"
            yield Patch(network.selector_loops, f"add_{mode}", wrap_add(mode), without, after=UVLOOP)
            yield Patch(network.selector_loops, f"remove_{mode}", wrap_remove(mode), without, after=UVLOOP)

    def alive(self, thing: Any) -> bool:
        return thing.open and not thing.loop.is_closed() and not wakes_task(thing)

    def loop(self, thing: Any) -> Any:
        return thing.loop

    def parts(self, thing: Any) -> Iterable[Any]:
        return (thing.given,)

    def keeper(self, thing: Any) -> Iterable[Any]:
        return (thing, *bound_to(thing.call[0]))

    def describe(self, thing: Any) -> Resource:
        module, what = describe(thing.call[0])
        rows = [("fd", str(thing.number))]
        if is_a(thing.given, sockets.Socket):
            closed = sockets.fileno(thing.given) == -1
            local, remote = map(sockets.readable, sockets.addresses(thing.given))
            rows = [("socket", "closed under it" if closed else sockets.type_of(thing.given))]
            rows += [(label, text) for label, text in (("local", local), ("remote", remote)) if text]
        return Resource(
            code="TL541",
            name=what,
            what=what,
            module=module,
            state="is still registered",
            role="callback",
            noun=thing.mode,
            details=tuple(rows),
        )

    def advice(self, resource: Resource) -> str:
        return f"loop.remove_{resource.noun}(fd) before the descriptor is closed"

    def remove(self, thing: Any) -> bool:
        end = getattr(thing.loop, f"remove_{thing.mode}")
        fd = thing.given if thing.number < 0 else thing.number
        if asyncio_.runs_elsewhere(thing.loop):
            thing.loop.call_soon_threadsafe(end, fd)
        else:
            end(fd)
        return False

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        loop = asyncio.SelectorEventLoop()
        ours, other = socket.socketpair()
        loop.add_reader(ours, print)
        try:
            yield next(iter(vars(loop)[TABLE].values()))
        finally:
            loop.remove_reader(ours)
            ours.close()
            other.close()
            loop.close()


def register(loop: Any, mode: str, args: Any, options: Any) -> Registration | None:
    """Write a registration down on its loop, in place of the one that the same descriptor had."""
    given = args[0] if args else handed(options, *DESCRIPTOR)
    call = tuple(args[1:]) or (handed(options, "callback"),)
    try:
        table = vars(loop).setdefault(TABLE, {})
    except TypeError:  # a loop without attributes of its own
        return None
    number = sockets.descriptor(given)
    before = table.get((mode, number))
    if before is not None:
        before.open = False
    made = table[mode, number] = Registration(loop, mode, given, number, call)
    return made


def handed(options: dict[str, Any], *names: str) -> Any:
    """Return what was handed over by one of these names."""
    return next((options[name] for name in names if name in options), None)


def unregister(loop: Any, mode: str, given: Any, number: int) -> None:
    """Forget a registration, found by its descriptor or, where that is closed, by its object."""
    table = getattr(loop, TABLE, {})
    found = (mode, number)
    if found not in table:
        found = next((key for key, x in list(table.items()) if x.mode == mode and x.given is given), found)
    registration = table.pop(found, None)
    if registration is not None:
        registration.open = False


def wakes_task(registration: Registration) -> bool:
    """Tell whether a task waits for the future or event that the callback sets."""
    callback, *args = registration.call
    return any(map(network.has_waiter, (*bound_to(callback), *args, *network.enclosed(callback))))


detector = Readers()
