"""Whose code would complete a wait, by which call, and on which line?

A blocked task that can reach a queue is told only if the code of one of its frames, or a function which that
code uses, has a call that completes the wait: `put`, `set`, `set_result`, `notify`, …
"""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.code import LIBRARY, USER, kind_of
from pytest_taskleak.adapt.expressions import MISSING, stored
from pytest_taskleak.adapt.links import FUTURES, cells, chain_of
from pytest_taskleak.adapt.locks import core_of, loaded
from pytest_taskleak.adapt.receivers import ENTER, Site, loop_variables, owner_of, sites
from pytest_taskleak.adapt.value_stack import Stack, opened
from pytest_taskleak.adapt.with_blocks import expression_at
from pytest_taskleak.safely import attribute, is_a

__all__ = ["COMPLETING", "completing_calls", "expression_at", "would_complete"]

COMPLETING: dict[str, tuple[str, ...]] = {
    "queue-get": ("put", "put_nowait", "shutdown"),
    "queue-put": ("get", "get_nowait", "shutdown"),
    "queue-join": ("task_done", "shutdown"),
    "event": ("set",),
    "future": ("set_result", "set_exception", "cancel"),
    "condition": ("notify", "notify_all"),
    "lock": ("release", ENTER),
    "semaphore": ("release", ENTER),
    "limiter": ("release", "release_on_behalf_of", ENTER),
    "barrier": ("wait", "abort", "reset", ENTER),
    "memory-receive": ("send", "send_nowait", "close", "aclose", ENTER),
    "memory-send": ("receive", "receive_nowait", "close", "aclose", ENTER),
    "stream": ("feed_data", "feed_eof", "set_exception"),
    "server": ("close",),
}
"""Operation that waits -> methods of the same thing that let it go on; `with` is the end of a block."""
EVERYDAY = frozenset({"get", "set", "close", "aclose", "send", "wait", "cancel", "reset", "receive", ENTER})
"""Names that objects of any kind have: they count only where the owner is known."""
SHARED_STATE = "_state"
"""What the two ends of a memory stream have in common."""
STREAMS = {
    "anyio.streams.memory": ("MemoryObjectReceiveStream", "MemoryObjectSendStream"),
    "trio._channel": ("MemoryReceiveChannel", "MemorySendChannel"),
}
ENDS = ("release", "close", "wait")
"""What the end of a `with` block does, the first that the operation knows."""
MOST_CODES = 80
MOST_CALLS = 2
"""How many calls deep the code that a frame uses is read."""
MOST_OBJECTS = 400
MOST_ITEMS = 1000
SIZED: Any = (list, tuple, set, frozenset, deque)

How = tuple[str, CodeType, int]
"""Method, code and line of a completing call."""


def completing_calls(code: CodeType, names: Collection[str]) -> list[tuple[str, int]]:
    """Return (method, line) of the places where a code object asks for one of some methods, nested code too.

    Parameters:
        code: the code object.
        names: names of methods; if `release` is among them, `with` blocks count, which release at their end.
    """
    found = []
    for site in sites(code):
        if site.name in names:
            found.append((site.name, site.line))
        elif site.name == ENTER and "release" in names:
            found.append(("release", site.line))
    for inner in _nested(code):
        found += completing_calls(inner, names)
    return found


def _nested(code: CodeType) -> Iterator[CodeType]:
    return (constant for constant in code.co_consts if type(constant) is CodeType)


def would_complete(task: Any, thing: Any, operation: str) -> How | None:
    """Return (method, code, line) of the call by which a suspended task would complete a wait, else `None`.

    First a call whose owner is known to be the thing; else, if the variables of a frame lead to the thing,
    one whose owner is not known.  Who holds a lock, and would so release it, is told by `holding.holders`.

    Parameters:
        task: a suspended task.
        thing: what the wait is for: a queue, an event, a future, one end of a memory stream, …
        operation: a key of `COMPLETING`; nothing is known of others.
    """
    names = COMPLETING.get(operation, ())
    if not names:
        return None
    try:
        return _would_complete(task, _Goal(thing, names))
    except Exception:  # noqa: BLE001 -- odd objects degrade to "not known"
        return None


def _would_complete(task: Any, goal: _Goal) -> How | None:
    stacks = [stack for link in chain_of(asyncio_.coro_of(task)) if (stack := opened(link.thing)) is not None]
    own = [stack for stack in stacks if kind_of(stack.frame.f_code.co_filename) in (USER, LIBRARY)]
    for stack in reversed(own):  # the innermost runs next
        found = _Reading(goal).frame(stack)
        if found is not None:
            return found
    for stack in reversed(own):
        maybe = _unknown_owner(goal, stack)
        if maybe is not None and reaches(stack.names.values(), goal):
            return maybe
    return None


# --- what is looked for -------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class _Goal:
    """The thing that is waited for, and the methods that let the wait go on."""

    thing: Any
    names: tuple[str, ...]

    def is_met_by(self, other: Any) -> bool:
        """Tell whether an object is the thing, or has its lock or its state."""
        if other is self.thing or core_of(other) is core_of(self.thing):
            return True
        state = attribute(other, SHARED_STATE) if is_a(other, loaded(STREAMS)) else None
        return state is not None and (state is self.thing or state is attribute(self.thing, SHARED_STATE))

    def spoken(self, name: str) -> str:
        """Return the method that a place calls; the end of a block calls one too."""
        return name if name != ENTER else next((end for end in ENDS if end in self.names), name)

    def is_like(self, other: Any) -> bool:
        """Tell whether an object is of the kind of the thing."""
        return type(other) is type(self.thing)


def reaches(things: Collection[Any], goal: _Goal) -> bool:
    """Tell whether some objects lead to the thing, within a few hundred objects.

    Parameters:
        things: where the search starts.
        goal: what is looked for.
    """
    queue, seen = list(things), set(map(id, things))
    for thing in queue:
        if goal.is_met_by(thing):
            return True
        if len(queue) < MOST_OBJECTS and _leads_on(thing):
            for further in gc.get_referents(*_contents(thing)):
                if id(further) not in seen:
                    seen.add(id(further))
                    queue.append(further)
    return False


def _leads_on(thing: Any) -> bool:
    """Tell whether a search may go through an object: not through the whole program or another task."""
    if is_a(thing, (type, ModuleType, CodeType, FrameType, asyncio.AbstractEventLoop)) or is_a(
        thing, FUTURES
    ):
        return False
    if is_a(thing, dict):
        return dict.__len__(thing) <= MOST_ITEMS and not dict.__contains__(thing, "__builtins__")
    size = next((kind.__len__(thing) for kind in SIZED if is_a(thing, kind)), 0)
    return size <= MOST_ITEMS


def _contents(thing: Any) -> tuple[Any, ...]:
    return (
        tuple(x for x in (thing.__closure__, thing.__defaults__) if x)
        if type(thing) is FunctionType
        else (thing,)
    )


def _unknown_owner(goal: _Goal, stack: Stack) -> How | None:
    """Return a call of the code of a frame, or of code inside of it, whose owner may be the thing."""
    codes = [stack.frame.f_code]
    for code in codes:
        for site in sites(code):
            if site.name not in goal.names:
                continue
            owner = owner_of(site, stack.names, stack.frame.f_globals)
            if owner is MISSING:
                maybe = site.name not in EVERYDAY
            else:  # it is another thing just now, and may be this one in the next turn
                maybe = goal.is_like(owner) and len(site.path) == 1 and site.path[0] in loop_variables(code)
            if maybe:
                return goal.spoken(site.name), code, site.line
        codes += _nested(code)
    return None


# --- reading code -------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class _Reading:
    """Code is read for calls whose owner is the thing, from a frame on into what the code uses."""

    goal: _Goal
    seen: set[tuple[int, int]] = field(default_factory=set)

    def frame(self, stack: Stack) -> How | None:
        """Read the code of a frame: what it would run next comes before what it has run."""
        frame = stack.frame
        return self.code(frame.f_code, stack.names, frame.f_globals, after=frame.f_lineno)

    def code(
        self,
        code: CodeType,
        names: Mapping[str, Any],
        globals_: Mapping[str, Any],
        *,
        depth: int = 0,
        after: int = 0,
    ) -> How | None:
        """Read one code object, then the code that is nested in it, then what it uses."""
        known = sites(code)
        direct = [s for s in known if s.name in self.goal.names and self._is_goal(s, names, globals_)]
        if direct:
            best = next((site for site in direct if site.line > after), direct[0])
            return self.goal.spoken(best.name), code, best.line
        for inner in _nested(code):
            outer = {name: names[name] for name in inner.co_freevars if name in names}
            found = self.code(inner, outer, globals_, depth=depth)
            if found is not None:
                return found
        for site in known if depth < MOST_CALLS else ():
            found = self._used(site, names, globals_, depth + 1)
            if found is not None:
                return found
        return None

    def _is_goal(self, site: Site, names: Mapping[str, Any], globals_: Mapping[str, Any]) -> bool:
        owner = owner_of(site, names, globals_)
        return owner is not MISSING and self.goal.is_met_by(owner)

    def _used(
        self, site: Site, names: Mapping[str, Any], globals_: Mapping[str, Any], depth: int
    ) -> How | None:
        """Read the function that a place asks for: a method of a known object, or a plain function."""
        owner = owner_of(site, names, globals_)
        if owner is MISSING or site.name == ENTER:
            return None
        value = stored_or_method(owner, site.name) if site.name else owner
        bound = MISSING if not site.name or is_a(owner, (ModuleType, type)) else owner
        if type(value) is MethodType:
            bound, value = value.__self__, value.__func__
        if type(value) is not FunctionType or kind_of(value.__code__.co_filename) not in (USER, LIBRARY):
            return None
        code = value.__code__
        key = (id(code), id(bound))
        if key in self.seen or len(self.seen) >= MOST_CODES:
            return None
        self.seen.add(key)
        inner = cells(value)
        if bound is not MISSING and code.co_argcount:
            inner[code.co_varnames[0]] = bound
        return self.code(code, inner, value.__globals__, depth=depth)


def stored_or_method(owner: Any, name: str) -> Any:
    """Return an attribute that is stored, or the plain function of a class by that name."""
    found = attribute(owner, name)
    return found if type(found) is FunctionType else stored(owner, name)
