"""How does the way from one object to another read: attribute, key, index, local, closure?

A chain is a list of objects, each of which refers to the next as the garbage collector sees it.  Links
that nobody writes (the `__dict__` of an instance, the cell of a closure, the coroutine of a task) are
folded into the step that they belong to.  No code of the user runs: attributes are found by identity
among the values of the instance's own dict and slots.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from types import BuiltinMethodType, CellType, CodeType, FrameType, FunctionType, MethodType
from typing import Any

from pytest_taskleak.adapt.asyncio_ import waiter_of
from pytest_taskleak.explain.anatomy import (
    LINKS,
    SUSPENDED,
    awaited_by,
    bare_name,
    exactly,
    frame_of,
    slot_of,
    type_name,
)
from pytest_taskleak.safely import class_dict, class_value, is_a, own_dict

Short = Callable[[CodeType, int], str]
"""Returns `path:line` as the report shows it."""

INNER = ("hamt", "_lru_list_elem")
"""How the names of C types begin that hold the values of a context and of a cached function."""
SEQUENCES: tuple[Any, ...] = (list, tuple, deque)
SETS: tuple[Any, ...] = (set, frozenset)
LONGEST_KEY = 40
MOST_VALUES = 200_000
"""Items of a container up to which the right one is looked for."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a chain.

    Parameters:
        text: what is written.
        name: `None` for an expression that can follow another (`.pool`, `[0]`); else the step is words
            (`local 'q' of main (app.py:3)`), and a following expression starts with this name.
        used: how many links of the chain the step covers.
    """

    text: str
    name: str | None = None
    used: int = 1


def parts(chain: Sequence[Any], short: Short, *, root: str = "", name: str | None = None) -> list[str]:
    """Return a chain as a reader would write it, as `app.POOL['main']._task`; words make further parts.

    Parameters:
        chain: objects, each of which refers to the next; the root first, the target last.
        short: how a place reads.
        root: what the first object is called.
        name: see `Step`; of the root.
    """
    found = [root]
    at = 0
    while at < len(chain) - 1:
        step = step_at(chain, at, short)
        at += step.used
        if step.name is not None:
            found.append(step.text)
            name = step.name
        elif step.text and name is not None:
            found.append(name + step.text)
            name = None
        else:
            found[-1] += step.text
    return [part for part in found if part]


def step_at(chain: Sequence[Any], at: int, short: Short) -> Step:
    """Return the step that leads away from one object of a chain."""
    holder, held = chain[at], chain[at + 1]
    behind = chain[at + 2 : at + 4]
    kind = type(holder)
    if kind is FrameType or is_a(holder, SUSPENDED):
        return local_step(holder, held, behind, short)
    if kind is FunctionType:
        return function_step(holder, held, behind)
    if kind is Context:
        return context_step(holder, chain, at)
    if kind is BuiltinMethodType or kind is MethodType:
        return Step(".__self__" if holder.__self__ is held else ".__func__")
    if kind is CellType or bare_name(kind) in LINKS:
        return Step("")
    if bare_name(kind) == "_lru_cache_wrapper" and held is not own_dict(holder):
        return cache_step(holder, chain, at)
    if is_a(holder, type):
        return class_step(holder, held, behind)
    if is_a(holder, asyncio.Future):
        return future_step(holder, held)
    return member_step(holder, held, behind)


def member_step(holder: Any, held: Any, behind: Sequence[Any]) -> Step:
    """Return the item or the attribute that leads from a plain object to another."""
    found = item(holder, held)
    if found is not None:
        return Step(found)
    own = own_dict(holder)
    if own is not None and held is own:
        return Step(attribute_text(key_of(own, behind[0])), used=2) if behind else Step(".__dict__")
    key = key_of(own, held) if own else None
    if key is not None:
        return Step(attribute_text(key))
    name = slot_of(holder, held)
    if name is not None:
        return Step(f".{name}")
    if held is type(holder):
        return Step(".__class__")
    return Step(inside(type_name(type(holder))), name="")


def item(holder: Any, held: Any) -> str | None:
    """Return `[3]`, `['main']` or `{member}` if a container holds a thing as an item."""
    if is_a(holder, dict):
        for key, value in items_of(holder):
            if value is held:
                return f"[{shown(key)}]"
            if key is held:
                return "{key}"
        return None
    for base in SEQUENCES:
        if is_a(holder, base):
            return indexed(base, holder, held)
    for base in SETS:
        if is_a(holder, base) and any(x is held for x in values_of(base, holder)):
            return "{member}"
    return None


def indexed(base: Any, holder: Any, held: Any) -> str | None:
    """Return the index of a thing in a sequence, of a named tuple the name."""
    for number, value in enumerate(values_of(base, holder)):
        if value is held:
            fields: Any = class_value(type(holder), "_fields") if base is tuple else None
            named = type(fields) is tuple and number < len(fields) and type(fields[number]) is str
            return f".{fields[number]}" if named else f"[{number}]"
    return None


def values_of(base: Any, holder: Any) -> list[Any]:
    """Return the items of a container without asking a subclass of the user for them."""
    try:
        return list(base.__iter__(holder)) if base.__len__(holder) <= MOST_VALUES else []
    except RuntimeError:  # another thread changes it just now
        return []


def items_of(holder: Any) -> list[tuple[Any, Any]]:
    """Return the items of a dict, in the same way."""
    try:
        return list(dict.items(holder)) if dict.__len__(holder) <= MOST_VALUES else []
    except RuntimeError:
        return []


def shown(key: Any) -> str:
    """Return a key of a plain type as it is written, of any other its type only."""
    if type(key) is str:
        return repr(key if len(key) <= LONGEST_KEY else f"{key[: LONGEST_KEY - 3]}...")
    return repr(key) if exactly(key, (int, bool, type(None))) else f"<{type_name(type(key))}>"


def attribute_text(key: Any) -> str:
    """Return an attribute by the key that it has in the dict of its object."""
    return f".{key}" if type(key) is str else f".__dict__[{shown(key)}]"


def key_of(namespace: Mapping[Any, Any] | None, held: Any) -> Any:
    """Return the key under which a namespace holds a thing itself, `None` if it does not."""
    if namespace is None:
        return None
    found = items_of(namespace) if is_a(namespace, dict) else list(namespace.items())
    return next((key for key, value in found if value is held), None)


def local_step(holder: Any, held: Any, behind: Sequence[Any], short: Short) -> Step:
    """Return the local variable of a frame, or of a suspended coroutine or generator."""
    frame = holder if type(holder) is FrameType else frame_of(holder)
    if frame is None:
        return Step("")
    used = 1
    if type(held) is CellType and behind:  # a local that an inner function shares
        held, used = behind[0], 2
    where = f"{frame.f_code.co_qualname} ({place(frame, short)})"
    name = next((name for name, value in dict(frame.f_locals).items() if value is held), None)
    if name is not None:
        return Step(f"local {name!r} of {where}", name=name, used=used)
    if type(holder) is not FrameType and deeper(holder, held):
        return Step("")
    return Step(f"in use in {where}", name="")


def deeper(holder: Any, held: Any) -> bool:
    """Tell whether a coroutine just awaits the next one of its chain."""
    return awaited_by(holder) is held or bare_name(type(held)) in LINKS


def place(frame: FrameType, short: Short) -> str:
    """Return where a frame stands."""
    return short(frame.f_code, frame.f_lineno or frame.f_code.co_firstlineno)


def function_step(function: FunctionType, held: Any, behind: Sequence[Any]) -> Step:
    """Return the closure, the default or the attribute by which a function holds a thing."""
    code, of = function.__code__, f"of {function.__qualname__}"
    if held is function.__closure__ and behind:
        number = next((n for n, cell in enumerate(function.__closure__ or ()) if cell is behind[0]), 0)
        name = code.co_freevars[number]
        return Step(f"closure {name!r} {of}", name=name, used=min(3, len(behind) + 1))
    defaults = function.__defaults__ or ()
    if held is function.__defaults__ and behind:
        number = next((n for n, value in enumerate(defaults) if value is behind[0]), 0)
        name = code.co_varnames[code.co_argcount - len(defaults) + number]
        return Step(f"default {name!r} {of}", name=name, used=2)
    if held is function.__kwdefaults__ and behind:
        name = str(key_of(function.__kwdefaults__, behind[0]))
        return Step(f"default {name!r} {of}", name=name, used=2)
    if held is function.__dict__ and behind:
        return Step(attribute_text(key_of(function.__dict__, behind[0])), used=2)
    return Step(f"inside function {function.__qualname__}", name="")


def context_step(context: Context, chain: Sequence[Any], at: int) -> Step:
    """Return the context variable that holds a thing."""
    end = skip_inner(chain, at + 1)
    for variable, value in context.items():
        if value is chain[end]:
            return Step(f"ContextVar {variable.name!r}", name=variable.name, used=end - at)
    return Step("a context", name="", used=end - at)


def class_step(holder: type, held: Any, behind: Sequence[Any]) -> Step:
    """Return the attribute of a class, whose own dict nobody sees but the garbage collector."""
    for used, thing in enumerate((held, *behind[:1]), 1):
        key = key_of(class_dict(holder), thing)
        if key is not None:
            return Step(f".{key}", used=used)
    return Step(f"inside class {type_name(holder)}", name="")


def cache_step(function: Any, chain: Sequence[Any], at: int) -> Step:
    """Return the cache of a function under `functools.cache` or `lru_cache`."""
    end = skip_inner(chain, at + 1)
    if end == at + 1 and type(chain[end]) is dict and end < len(chain) - 1:
        end = skip_inner(chain, end + 1)
    name = (own_dict(function) or {}).get("__qualname__")
    return Step(f"the cache of {name if type(name) is str else 'a function'}", name="", used=end - at)


def skip_inner(chain: Sequence[Any], at: int) -> int:
    """Return the position of the first object of a chain that is no inner node of C's."""
    while at < len(chain) - 1 and bare_name(type(chain[at])).startswith(INNER):
        at += 1
    return at


def future_step(future: Any, held: Any) -> Step:
    """Return how a task or a future leads on; what its coroutine holds is told by the coroutine."""
    if is_a(held, SUSPENDED) or held is own_dict(future):
        return Step("")
    if is_a(held, Context):
        return Step("", name="")
    if is_a(future, asyncio.Task):
        return Step("what it awaits" if held is waiter_of(future) else "a callback", name="")
    return Step(inside(type_name(type(future)).lstrip("_")), name="")


def inside(class_name: str) -> str:
    """Return the words for an object whose inside nobody sees."""
    return f"inside a{'n' * (class_name[:1] in 'AEIOU')} {class_name}"


def containers_off(chain: Sequence[Any]) -> list[Any]:
    """Return a chain without its last object and the containers that it lies in."""
    found = list(chain[:-1])
    while len(found) > 1 and is_a(found[-1], (list, tuple, dict, set, deque)):
        found.pop()
    return found
