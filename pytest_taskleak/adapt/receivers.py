"""Which attributes does a code object ask for, and of what: `self.queue.put`, `gate.set`, `with pool`?

Read off the bytecode, for names and chains of attributes; anything that is computed is not known.
"""

from __future__ import annotations

import builtins
import dis
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

from pytest_taskleak.adapt.expressions import MISSING, stored

CODES = 1024
ENTER = "with"
"""The name under which the item of a `with` block is told: the block gives back at its end."""
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_NOISE = frozenset({"PUSH_NULL", "NOP", "EXTENDED_ARG", "CACHE", "COPY"})
_EXITS = (1, 3)
"""`__exit__` and `__aexit__` among the special methods of `LOAD_SPECIAL`, from 3.14."""


@dataclass(frozen=True, slots=True)
class Site:
    """One attribute that a code object asks for.

    Parameters:
        name: the attribute, `with` for the item of a block, nothing for a bare name.
        line: where it stands.
        path: the names that lead to its owner, from a variable on; empty where the owner is computed.
        is_global: whether the first name of the path is not a variable of a function.
    """

    name: str
    line: int
    path: tuple[str, ...]
    is_global: bool = False


@lru_cache(maxsize=CODES)
def sites(code: CodeType) -> tuple[Site, ...]:
    """Return what a code object asks for, in the order of the code; nested code is left out."""
    steps = [step for step in dis.get_instructions(code) if step.opname not in _NOISE]
    found = []
    line = code.co_firstlineno
    for at, step in enumerate(steps):
        if step.positions is not None and step.positions.lineno is not None:
            line = step.positions.lineno
        if step.opname in _ATTRIBUTE:
            end = step.positions.end_lineno if step.positions is not None else None
            found.append(Site(_text(step.argval), end or line, *_path(steps, at)))
        elif step.opname.startswith("BEFORE_") or (step.opname == "LOAD_SPECIAL" and step.arg in _EXITS):
            owner = _line_of(steps[at - 1]) if at else None
            found.append(Site(ENTER, owner or line, *_path(steps, at)))
        elif step.opname in _GLOBAL or step.opname.startswith(("LOAD_FAST", "LOAD_DEREF")):
            names = step.argval if type(step.argval) is tuple else (step.argval,)
            found += [Site("", line, (_text(name),), step.opname in _GLOBAL) for name in names]
    return tuple(found)


def _path(steps: list[dis.Instruction], at: int) -> tuple[tuple[str, ...], bool]:
    names: list[str] = []
    while at > 0:
        at -= 1
        step = steps[at]
        if step.opname in _ATTRIBUTE:
            names.append(_text(step.argval))
            continue
        is_global = step.opname in _GLOBAL
        if is_global or step.opname.startswith(("LOAD_FAST", "LOAD_DEREF")) or "_LOAD_FAST" in step.opname:
            return (_last(step.argval), *reversed(names)), is_global
        break
    return (), False


@lru_cache(maxsize=CODES)
def loop_variables(code: CodeType) -> frozenset[str]:
    """Return the names that the `for` loops of a code object set anew in each turn."""
    steps = [step for step in dis.get_instructions(code) if step.opname not in _NOISE]
    found: set[str] = set()
    for at, step in enumerate(steps):
        if step.opname != "FOR_ITER":
            continue
        stores = steps[at + 1 : at + 2]
        if stores and stores[0].opname == "UNPACK_SEQUENCE":
            stores = steps[at + 2 : at + 2 + (stores[0].arg or 0)]
        for store in stores:
            if store.opname.startswith("STORE_"):
                names = store.argval if type(store.argval) is tuple else (store.argval,)
                found.update(names[:1] if store.opname.endswith("_LOAD_FAST") else names)
    return frozenset(found)


def _line_of(step: dis.Instruction) -> int | None:
    return None if step.positions is None else step.positions.lineno


def _text(value: Any) -> str:
    return value if type(value) is str else ""


def _last(value: Any) -> str:
    """Return the name that lies on top, where one instruction loads two."""
    return _text(value[-1]) if type(value) is tuple and value else _text(value)


def owner_of(site: Site, names: Mapping[str, Any], names_of_module: Mapping[str, Any]) -> Any:
    """Return the object whose attribute is asked for, `MISSING` where telling it would run code.

    Parameters:
        site: the place.
        names: the variables of the code's frame, as far as they are known.
        names_of_module: the globals of its module.
    """
    if not site.path:
        return MISSING
    first, *rest = site.path
    if site.is_global:
        value = dict.get(names_of_module, first, MISSING) if type(names_of_module) is dict else MISSING
        if value is MISSING:
            value = getattr(builtins, first, MISSING)
    else:
        value = names.get(first, MISSING)
    for name in rest:
        if value is MISSING or value is None:
            return MISSING
        value = stored(value, name)
    return value
