"""Which locks, permits and other managers does a suspended task hold, and who holds a given lock?

Read off the stacks of the task's frames: nothing is patched.  A lock that was taken by a bare
`await lock.acquire()` leaves no trace there, and is held by nobody as far as this can tell.
"""

from __future__ import annotations

import asyncio
import contextlib
import dis
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.code import LIBRARY, USER, kind_of
from pytest_taskleak.adapt.links import chain_of
from pytest_taskleak.adapt.locks import core_of, is_free, is_lockish, owners_of, permits_taken
from pytest_taskleak.adapt.value_stack import BOUND, GENERATORS, Stack, entered, on_class, opened
from pytest_taskleak.adapt.with_blocks import held_in, with_items
from pytest_taskleak.safely import attribute, is_a

__all__ = ["Held", "core_of", "held_by", "held_in", "holders", "is_lockish", "with_items"]

EXIT_STACKS: Any = getattr(contextlib, "_BaseExitStack", (contextlib.ExitStack, contextlib.AsyncExitStack))
GENERATOR_NAMES = ("gen", "thing")
"""Attributes by which `contextmanager` and `aclosing` know the generator that they have entered."""
TAKING = frozenset({"acquire", "acquire_nowait", "__aenter__", "__enter__"})
GIVING = frozenset({"release", "__aexit__", "__exit__"})
WAITS = ("Condition.wait", ("asyncio", "anyio", "trio"))
"""Qualified name and packages of the code inside of which a condition has given its lock back."""
MOST_NESTED = 8
MOST_CALLBACKS = 100


@dataclass(slots=True, eq=False)
class Held:
    """What a task holds, and where it took it.  It holds live objects: for one look only, never kept.

    Parameters:
        thing: the manager: a lock, a semaphore, a condition (with its lock), a timeout, a task group, …
        code: the code that took it.
        line: the line on which it did; 0 where that left no trace.
        through: the manager that took it for the task: a generator's, an exit stack, the user's.
        certain: false where a class of the user takes and gives back a lock in its own methods, or has an
            exit stack, as its code says: a condition in that code may have decided otherwise.
    """

    thing: Any
    code: CodeType
    line: int
    through: Held | None = None
    certain: bool = True


@dataclass(slots=True, eq=False)
class _Search:
    """The managers found so far, and the generators that were looked into."""

    seen: set[int]
    found: list[Held] = field(default_factory=list)


def held_by(task: Any) -> list[Held]:
    """Return what a suspended task holds, the outermost first, over its whole await chain.

    Generators that its frames iterate and managers inside of managers are looked into.  What is entered or
    left just now is not held, nor is the lock of a condition that is being waited for.
    A task that runs just now shows nothing.  It never raises.

    Parameters:
        task: an asyncio task.
    """
    try:
        return _held(task)
    except Exception:  # noqa: BLE001 -- odd coroutines degrade to "not known"
        return []


def _held(task: Any) -> list[Held]:
    chain = [link.thing for link in chain_of(asyncio_.coro_of(task))]
    search = _Search(set(map(id, chain)))
    released: list[Any] = []
    before: Stack | None = None
    for thing in chain:
        stack = opened(thing)
        if stack is None:
            continue
        _frame(search, stack)
        if _is_exit_of_stack(stack) and before is not None:
            left = Held(stack.first(), before.frame.f_code, before.frame.f_lineno)
            search.found.append(left)
            _inside(search, left)
        if _gave_lock_back(stack):
            released.append(core_of(stack.first()))
        before = stack if _is_exit_of_stack(stack) is False else before
    return [held for held in search.found if _is_held(core_of(held.thing), task, released)]


def _is_held(core: Any, task: Any, released: list[Any]) -> bool:
    owners = owners_of(core)
    if owners is not None:
        return any(owner is task for owner in owners)
    return not is_free(core) and not any(core is lock for lock in released)


def _frame(search: _Search, stack: Stack, through: Held | None = None, depth: int = 0) -> None:
    """Note what a frame has entered, and what the generators on its stack have, in the order of the stack."""
    managers = {one.place: one for one in entered(stack)}
    for place, value in enumerate(stack.values):
        if place in managers:
            one = managers[place]
            certain = through is None or through.certain
            held = Held(one.manager, stack.frame.f_code, one.block.line, through, certain=certain)
            search.found.append(held)
            _inside(search, held, depth)
        elif is_a(value, GENERATORS):
            _generator(search, value, through, depth)


def _generator(search: _Search, thing: Any, through: Held | None, depth: int) -> None:
    if id(thing) in search.seen or depth > MOST_NESTED:
        return
    search.seen.add(id(thing))
    stack = opened(thing)
    if stack is not None:
        _frame(search, stack, through, depth + 1)


def _inside(search: _Search, held: Held, depth: int = 0) -> None:
    """Note what a manager has entered for the task."""
    if depth > MOST_NESTED or is_lockish(held.thing):
        return
    for name in GENERATOR_NAMES:
        thing = attribute(held.thing, name)
        if is_a(thing, GENERATORS):
            _generator(search, thing, held, depth)
    if is_a(held.thing, EXIT_STACKS):
        _callbacks(search, held, depth)
    else:
        _own_code(search, held, depth)


def _callbacks(search: _Search, stack: Held, depth: int) -> None:
    """Note what an exit stack will leave."""
    for entry in list(attribute(stack.thing, "_exit_callbacks") or ())[:MOST_CALLBACKS]:
        manager = _left_by(entry[-1]) if type(entry) is tuple else None
        if manager is not None:
            held = Held(manager, stack.code, stack.line, stack, certain=stack.certain)
            search.found.append(held)
            _inside(search, held, depth + 1)


def _left_by(callback: Any) -> Any:
    """Return the manager whose exit a callback is, or the lock that it releases."""
    wrapped = type(callback) is FunctionType  # what `stack.callback(lock.release)` has made
    if wrapped:
        callback = callback.__dict__.get("__wrapped__")
    if type(callback) not in BOUND:
        return None
    releases = wrapped and is_lockish(callback.__self__) and callback.__name__ == "release"
    return callback.__self__ if releases or not wrapped else None


def _own_code(search: _Search, manager: Held, depth: int) -> None:
    """Note what a class of the user takes in its entering method and gives back in its leaving one."""
    before = len(search.found)
    for enter, leave in (("__aenter__", "__aexit__"), ("__enter__", "__exit__")):
        if len(search.found) > before:
            return
        taking, giving = _code_of(manager.thing, enter), _code_of(manager.thing, leave)
        if taking is None or giving is None or kind_of(giving.co_filename) not in (USER, LIBRARY):
            continue
        gives = not GIVING.isdisjoint(giving.co_names)
        for name in giving.co_names:
            thing = attribute(manager.thing, name)
            if is_a(thing, EXIT_STACKS):
                held = Held(thing, manager.code, manager.line, manager, certain=False)
                search.found.append(held)
                _callbacks(search, held, depth + 1)
            elif is_lockish(thing) and gives and (line := _taken(taking, name)):
                search.found.append(Held(thing, taking, line, manager, certain=False))


def _code_of(thing: Any, method: str) -> CodeType | None:
    found = on_class(type(thing), method)
    return found.__code__ if type(found) is FunctionType else None


@lru_cache(maxsize=512)
def _taken(code: CodeType, name: str) -> int:
    """Return the line on which a code object takes the attribute `name` of something, 0 if it does not."""
    line, before = 0, None
    for step in dis.get_instructions(code):
        line = (step.positions.lineno if step.positions else None) or line
        if before == name and (step.argval in TAKING or step.opname.startswith("BEFORE_")):
            return line
        before = step.argval if step.opname in ("LOAD_ATTR", "LOAD_METHOD") else None
    return 0


def _is_exit_of_stack(stack: Stack) -> bool:
    code = stack.frame.f_code
    return code.co_name in ("__aexit__", "aclose") and code.co_filename == contextlib.__file__


def _gave_lock_back(stack: Stack) -> bool:
    name, packages = WAITS
    code = stack.frame.f_code
    module = stack.frame.f_globals.get("__name__")
    return code.co_qualname == name and type(module) is str and module.partition(".")[0] in packages


def holders(
    thing: Any, tasks: Iterable[Any], look: Callable[[Any], list[Held]] = held_by
) -> tuple[list[tuple[Any, Held]], bool]:
    """Return (task, what it holds) of every holder of a lock among some tasks, and whether these are all.

    A task that holds two permits of a semaphore is told twice.  All are known if as many were found as the
    lock says were taken: they are the holders if a lock is released only by the task that acquired it.
    For the locks and limiters of anyio the owners are known, wherever they took them.

    Parameters:
        thing: a lock, a semaphore, a limiter, or a condition for its lock.
        tasks: the tasks to look at.
        look: how a task is looked at; give a function that remembers where many locks are asked about.
    """
    core = core_of(thing)
    owners = owners_of(core)
    if owners is not None:
        named = [owner for owner in owners if is_a(owner, asyncio.Task)]
        return [(owner, _of(owner, core, look)) for owner in named], len(named) == len(owners)
    found = [(task, held) for task in tasks for held in _matching(look(task), core)]
    certain = all(held.certain for _, held in found)
    return found, certain and permits_taken(core) == len(found)


def _matching(things: list[Held], core: Any) -> Iterator[Held]:
    return (held for held in things if core_of(held.thing) is core)


def _of(owner: Any, core: Any, look: Callable[[Any], list[Held]]) -> Held:
    """Return where the owner of a lock took it, with line 0 if it was in no `with` block."""
    found = next(_matching(look(owner), core), None)
    if found is not None:
        return found
    links = chain_of(asyncio_.coro_of(owner))
    code = next((link.code for link in links if link.code is not None), _of.__code__)
    return Held(core, code, 0)
