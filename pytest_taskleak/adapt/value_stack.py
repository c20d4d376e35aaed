"""What lies on the value stack of a suspended coroutine, and which managers has its frame entered?

`gc.get_referents` of a suspended coroutine or generator lists its local variables and then its live stack,
in order (CPython visits them so from 3.11 to 3.15).  A `with` block keeps its exit there: up to 3.13 a bound
`__exit__` or `__aexit__`, from 3.14 the plain function followed by its object.  The exception table tells at
which depth.
"""

from __future__ import annotations

import dis
import gc
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import AsyncGeneratorType, BuiltinFunctionType, FrameType, FunctionType, GeneratorType, MethodType
from typing import Any

from pytest_taskleak.adapt.links import SUSPENDED
from pytest_taskleak.adapt.with_blocks import WithBlock, with_blocks
from pytest_taskleak.safely import is_a, mro_of

PAIRS = "LOAD_SPECIAL" in dis.opmap
"""From 3.14 an exit takes two places: the function and its object, or something callable and nothing."""
_GET_ITER = dis.opmap["GET_ITER"]
VIRTUAL = dis.stack_effect(_GET_ITER, None if _GET_ITER < dis.HAVE_ARGUMENT else 0) > 0
"""From 3.15 the iterator of a `for` lies in two slots."""
NOTHING: Any = object()
BOUND = (MethodType, BuiltinFunctionType)
GENERATORS = (AsyncGeneratorType, GeneratorType)
_NAMES = type.__dict__["__dict__"].__get__
_PLAIN_LOCALS = sys.version_info < (3, 13)
"""Up to 3.12 reading the locals of a frame makes a dictionary that lives with the frame."""


@dataclass(slots=True, eq=False)
class Stack:
    """A suspended frame, opened.  It holds live objects: for one look only, never kept.

    Parameters:
        frame: the frame.
        lasti: where it stands, in bytes.
        names: its variables by name, the closure's included.
        values: its value stack from the bottom; places that are empty are left out.
    """

    frame: FrameType
    lasti: int
    names: dict[str, Any]
    values: list[Any]

    def first(self) -> Any:
        """Return the first argument: for a method, its object."""
        code = self.frame.f_code
        return self.names.get(code.co_varnames[0]) if code.co_argcount else None


@dataclass(slots=True, eq=False)
class Entered:
    """A manager whose `with` block a frame is in, and the place of its exit on the stack."""

    manager: Any
    block: WithBlock
    place: int


def opened(thing: Any) -> Stack | None:
    """Return the variables and the stack of a suspended coroutine or generator, `None` if it has none.

    The frame is left as it was: the copy of the locals that CPython makes up to 3.12 is emptied.
    """
    frame = suspended_frame(thing)
    if frame is None:
        return None
    lasti, found = frame.f_lasti, gc.get_referents(thing)
    start = next(
        (i for i, x in enumerate(found) if type(x) is FunctionType and x.__code__ is frame.f_code), None
    )
    if start is None:
        return None
    copied = any(type(x) is dict and x for x in found[:start])  # by a debugger: not ours to empty
    after = found[start + 1 :]
    after = after[1:] if after and after[0] is frame.f_code else after
    names = _names(frame, keep=copied)
    if frame.f_lasti != lasti or frame.f_back is not None:  # it runs in another thread by now
        return None
    return Stack(frame, lasti, names, after[_set_variables(frame, names) :])


def suspended_frame(thing: Any) -> FrameType | None:
    """Return the frame of a coroutine or generator that has not ended and does not run just now."""
    for kind, frame_name, _ in SUSPENDED:
        if is_a(thing, kind):
            frame: FrameType | None = getattr(thing, frame_name)
            if frame is None or frame.f_back is not None:
                return None
            running = kind is not AsyncGeneratorType and getattr(thing, frame_name[:3] + "running")
            return None if running else frame
    return None


def _names(frame: FrameType, *, keep: bool) -> dict[str, Any]:
    found: Any = frame.f_locals
    names = dict(found)
    if _PLAIN_LOCALS and not keep and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        found.clear()
    return names


def _set_variables(frame: FrameType, names: dict[str, Any]) -> int:
    """Return how many places of a frame's variables are filled; a cell is there even if it is empty."""
    code = frame.f_code
    cells = {*code.co_cellvars, *code.co_freevars}
    return len(cells) + sum(name in names for name in code.co_varnames if name not in cells)


def entered(stack: Stack) -> Iterator[Entered]:
    """Yield the managers whose `with` blocks a frame is in, the outermost first.

    A manager that is being entered or left just now is not among them, nor is one whose exit does not
    tell its object, like that of a mock.
    """
    place = depth = 0  # what lies below them was accounted for
    for block in with_blocks(stack.frame.f_code, stack.lasti):
        place = _above(stack.values, place, block.depth - depth - 1 - PAIRS)
        depth = block.depth
        manager = leaves(stack.values, place, "__aexit__" if block.is_async else "__exit__")
        if manager is not NOTHING:
            yield Entered(manager, block, place)
        is_pair = PAIRS and manager is not NOTHING and type(stack.values[place]) not in BOUND
        place += 1 + is_pair


def _above(values: list[Any], place: int, slots: int) -> int:
    """Return the place above so many slots of loops and handled exceptions."""
    if not VIRTUAL:
        return place + slots
    # A list above an exception belongs to an `except*`, or a loop goes through it: whichever fits.
    ends = (_end(values, place, slots, list_takes) for list_takes in (1, 2))
    return next((end for end in ends if end is not None), place + slots)


def _end(values: list[Any], place: int, slots: int, list_takes: int) -> int | None:
    below = None
    while slots > 0 and place < len(values):
        in_handler = is_a(below, BaseException) and type(values[place]) is list
        below = values[place]
        slots -= list_takes if in_handler else _slots(below)
        place += 1
    fits = slots == 0 and place < len(values) and _may_leave(values[place])
    return place if fits else None


def _may_leave(value: Any) -> bool:
    return value is not None and not is_a(value, BaseException)


def _slots(value: Any) -> int:
    """Return how many slots a value takes: the iterator of a `for` takes two, the second is not listed."""
    if value is None or is_a(value, BaseException) or on_class(type(value), "__anext__") is not NOTHING:
        return 1
    return 2


def leaves(values: list[Any], at: int, name: str) -> Any:
    """Return the manager whose exit lies at a place of a stack, `NOTHING` if no exit does.

    Parameters:
        values: the stack.
        at: the place.
        name: `__exit__` or `__aexit__`.
    """
    value = values[at] if at < len(values) else None
    if type(value) is MethodType:
        return value.__self__ if _is_exit(value.__func__, value.__self__, name) else NOTHING
    if type(value) is BuiltinFunctionType:
        return value.__self__ if value.__name__ == name and value.__self__ is not None else NOTHING
    if PAIRS and at + 1 < len(values) and _is_exit(value, values[at + 1], name):
        return values[at + 1]
    return NOTHING


def on_class(kind: type, name: str) -> Any:
    """Return what a class or its bases have by a name, `NOTHING` if nothing; no descriptor is asked."""
    for base in mro_of(kind):
        names = _NAMES(base)
        if name in names:
            return names[name]
    return NOTHING


def _is_exit(function: Any, owner: Any, name: str) -> bool:
    """Tell whether a function is the exit of an object, also after somebody has replaced it in the class."""
    known = on_class(type(owner), name)
    if known is NOTHING:
        return False
    return known is function or (type(function) is FunctionType and function.__name__ == name)
