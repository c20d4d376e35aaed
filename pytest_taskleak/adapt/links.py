"""Of which links does an await chain consist, and what do their frames hold?

The links are `cr_await`, `ag_await` and `gi_yieldfrom`; those that hide their target
(`async_generator_asend`, `coroutine_wrapper`, `FutureIter`, …) are solved by their referents, and so are
the coroutines that Cython has compiled.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, FunctionType, GeneratorType
from typing import Any

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.adapt.asyncio_ import Task
from pytest_taskleak.safely import attribute, is_a

MOST_LINKS = 60
MOST_HIDDEN = 3
FUTURES = (asyncio.Future, concurrent.futures.Future)
SUSPENDED = (
    (CoroutineType, "cr_frame", "cr_await"),
    (AsyncGeneratorType, "ag_frame", "ag_await"),
    (GeneratorType, "gi_frame", "gi_yieldfrom"),
)
KINDS = (CoroutineType, AsyncGeneratorType, GeneratorType)
HIDING = frozenset({"FutureIter", "anext_awaitable", "async_generator_asend", "async_generator_athrow"})
"""Types of CPython that show nothing of what they wait for."""
COMPILED = "_cython_"
_SNAPSHOT = sys.version_info < (3, 13)
_OWN_REFERENCES = 3
"""References to such a dictionary that are the frame's and ours."""
CYTHON_COROUTINES = frozenset({"coroutine", "iterable_coroutine", "generator", "async_generator"})


def locals_of(frame: FrameType) -> dict[str, Any]:
    """Return the local variables of a suspended frame, and leave no trace of the look.

    Up to 3.12 `f_locals` is a dictionary that lives with the frame, and would keep what the code drops
    later.  It is emptied again, unless a debugger or a `locals()` of the code itself holds it too.
    """
    found: Any = frame.f_locals
    names = dict(found)
    plain = _SNAPSHOT and frame.f_code.co_flags & inspect.CO_OPTIMIZED and frame.f_trace is None
    if plain and sys.getrefcount(found) <= _OWN_REFERENCES:
        found.clear()
    return names


@dataclass(slots=True, eq=False)
class Link:
    """One link of an await chain.  It holds live objects: for one look only, never kept.

    Parameters:
        thing: the coroutine or generator.
        frame: its suspended frame, `None` for compiled code.
        module: the module that its code says it is of.
        name: the qualified name of its code.
    """

    thing: Any
    frame: FrameType | None
    module: str
    name: str

    @property
    def code(self) -> CodeType | None:
        """The code object of its frame."""
        return None if self.frame is None else self.frame.f_code

    def locals(self) -> dict[str, Any]:
        """Return its local variables."""
        return {} if self.frame is None else locals_of(self.frame)

    def local(self, name: str) -> Any:
        """Return one local variable, `None` where there is none."""
        return self.locals().get(name)

    def owner(self) -> Any:
        """Return the first argument: for a method, its object."""
        code = self.code
        if code is None:
            return next(iter(self.held()), None)
        return self.local(code.co_varnames[0]) if code.co_argcount else None

    def held(self) -> Iterator[Any]:
        """Yield what the coroutine refers to: its variables, then what its code has in hand."""
        for thing in gc.get_referents(self.thing):
            if "_scope_struct_" in type(thing).__name__:
                yield from gc.get_referents(thing)
            else:
                yield thing

    def of(self, kinds: Any) -> Any:
        """Return the first thing of one of `kinds` that compiled code holds, or a variable of that kind."""
        things = self.held() if self.frame is None else iter(self.locals().values())
        return next((x for x in things if is_a(x, kinds)), None)


def chain_of(awaitable: Any) -> list[Link]:
    """Return the links of an await chain, the outermost first."""
    found: list[Link] = []
    for _ in range(MOST_LINKS):
        for kind, frame_name, next_name in SUSPENDED:
            if is_a(awaitable, kind):
                frame = getattr(awaitable, frame_name)
                if frame is not None:
                    module = dict.get(frame.f_globals, "__name__")
                    found.append(Link(awaitable, frame, _text(module), frame.f_code.co_qualname))
                awaitable = getattr(awaitable, next_name)
                break
        else:
            if is_compiled(awaitable):
                found.append(Link(awaitable, None, "uvloop", _text(awaitable.__qualname__)))
                awaitable = awaitable.cr_await
                continue
            awaitable = _hidden(awaitable)
            if awaitable is None:
                break
    return found


def is_compiled(thing: Any) -> bool:
    """Tell whether a thing is a coroutine that Cython has compiled, as uvloop's are."""
    kind = type(thing)
    return kind.__module__.startswith(COMPILED) and kind.__name__ in CYTHON_COROUTINES


def _text(name: Any) -> str:
    return name if type(name) is str else ""


def _hidden(awaitable: Any) -> Any:
    """Return the next link behind something that does not show it, `None` at the end of the chain."""
    for _ in range(MOST_HIDDEN):
        if awaitable is None or is_a(awaitable, FUTURES):
            return None
        behind = gc.get_referents(awaitable)
        inner = next((x for x in behind if is_a(x, KINDS) or is_compiled(x)), None)
        if inner is not None:
            return inner
        awaitable = next((x for x in behind if _hides(x)), None)
    return None


def _hides(thing: Any) -> bool:
    kind = type(thing)
    if kind.__name__ == "coroutine_wrapper":
        return kind.__module__ == "builtins" or kind.__module__.startswith(COMPILED)
    return kind.__name__ in HIDING and kind.__module__ in ("builtins", "_asyncio")


def links(awaitable: Any) -> Iterator[FrameType]:
    """Yield the frames of an await chain, the outermost first."""
    yield from (link.frame for link in chain_of(awaitable) if link.frame is not None)


def frames_of(task: Task) -> list[FrameType]:
    """Return the suspended frames of one task, the outermost first."""
    return list(links(asyncio_.coro_of(task)))


def cells(function: Any) -> dict[str, Any]:
    """Return the closure of a function by name; cells that are empty are left out."""
    if not is_a(function, FunctionType):
        return {}
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue
    return found


def callbacks_of(future: Any) -> list[Any]:
    """Return what a future calls when it is done, for asyncio's and for concurrent ones."""
    if is_a(future, concurrent.futures.Future):
        return list(attribute(future, "_done_callbacks") or ())
    return [entry[0] for entry in attribute(future, "_callbacks") or () if type(entry) is tuple]


def pending(future: Any) -> bool:
    """Tell whether a future is not done; the method of a subclass is not asked."""
    if is_a(future, asyncio.Future):
        return not asyncio.Future.done(future)
    state = attribute(future, "_state")
    return state is None or (type(state) is str and state in ("PENDING", "RUNNING"))
