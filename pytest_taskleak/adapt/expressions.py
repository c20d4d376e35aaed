"""Which object does the expression at an instruction of a running frame name?

The instruction's position gives the source text, the text a tree, and the tree is looked up by hand: names,
attributes that are stored, constant subscripts of plain containers.  Nothing of the user is called.
"""

from __future__ import annotations

import ast
import dis
import inspect
import linecache
import os
import sys
from functools import lru_cache
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple

from pytest_taskleak.adapt.code import names_of
from pytest_taskleak.safely import attribute, is_a

MISSING: Any = object()
"""What an expression names that cannot be looked up."""
MOST_KEYS = 1000
LONGEST = 60
CODES = 4096
_ENTER = dis.opmap.get("BEFORE_WITH", -1)  # up to 3.13
_SPECIAL = dis.opmap.get("LOAD_SPECIAL", -1)  # from 3.14
_UNIT = 2
"""The size of an instruction in bytes; caches and extended arguments are further units."""


def _locals_type() -> type:
    return type(sys._getframe().f_locals)


_PLAIN = _locals_type()
"""The type of the locals of a function: a dictionary, or a view of them from 3.13."""


class Call(NamedTuple):
    """What a frame calls: the tree of the callee, or of what a `with` enters (`method` is `__enter__`)."""

    tree: ast.expr
    method: str
    args: tuple[ast.expr, ...] = ()
    keywords: tuple[ast.keyword, ...] = ()


class Taking(NamedTuple):
    """An expression whose value was acquired, and the offset of the instruction."""

    tree: ast.expr
    offset: int


# --- source -------------------------------------------------------------------------------------


@lru_cache(maxsize=CODES)
def _positions(code: CodeType) -> tuple[tuple[int | None, int | None, int | None, int | None], ...]:
    return tuple(code.co_positions())


@lru_cache(maxsize=CODES)
def _bytes(code: CodeType) -> bytes:
    return code.co_code


def _lines(path: str) -> list[str]:
    entry: Any = linecache.cache.get(path)
    if entry is not None and len(entry) == 1 and not os.path.exists(path):
        return []  # a loader would be asked for the text, and that may be the user's
    return linecache.getlines(path)


def segment(code: CodeType, offset: int) -> str:
    """Return the source text of one instruction, empty where it cannot be told.

    Parameters:
        code: the code object.
        offset: the instruction's offset in bytes, as `f_lasti`.
    """
    positions = _positions(code)
    if not 0 <= offset // _UNIT < len(positions):
        return ""
    first, last, start, end = positions[offset // _UNIT]
    if first is None or last is None or start is None or end is None:
        return ""
    lines = _lines(code.co_filename)[first - 1 : last]
    if len(lines) != last - first + 1:
        return ""
    raw = [line.encode() for line in lines]
    before = raw[0][:start] if raw[0][:start].strip() else _line_above(code, first)
    if before.rstrip(b"\\ \r\n").endswith(b"."):
        return ""  # a method chain over several lines: the receiver stands above
    raw[-1] = raw[-1][:end]
    raw[0] = raw[0][start:]
    return b"".join(raw).decode("utf-8", "replace")


def _line_above(code: CodeType, line: int) -> bytes:
    return _lines(code.co_filename)[line - 2].encode() if line > 1 else b""


@lru_cache(maxsize=CODES)
def tree_at(code: CodeType, offset: int) -> ast.expr | None:
    """Return the tree of the expression at an instruction, `None` where there is none."""
    text = segment(code, offset)
    if not text:
        return None
    try:
        return ast.parse(f"({text}\n)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    try:  # the whole statement: an assertion that pytest has rewritten has no better position
        calls = [node for node in ast.walk(ast.parse(text.strip())) if isinstance(node, ast.Call)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return calls[0] if len(calls) == 1 else None


@lru_cache(maxsize=CODES)
def call_at(code: CodeType, offset: int) -> Call | None:
    """Return what the instruction at an offset calls or enters, `None` where it does neither."""
    raw = _bytes(code)
    if not 0 <= offset < len(raw):
        return None
    if raw[offset] == _ENTER:
        tree = tree_at(code, offset - _UNIT)  # up to 3.12 the position of the entering is the whole statement
        return None if tree is None else Call(tree, "__enter__")
    tree = tree_at(code, offset)
    if offset >= _UNIT and raw[offset - _UNIT] == _SPECIAL:
        return None if tree is None else Call(tree, "__enter__")
    if not isinstance(tree, ast.Call):
        return None
    method = tree.func.attr if isinstance(tree.func, ast.Attribute) else ""
    return Call(tree.func, method, tuple(tree.args), tuple(tree.keywords))


# --- looking up ---------------------------------------------------------------------------------


def spelled(tree: ast.expr) -> str:
    """Return a chain of names as it is written, empty for anything that calls or computes, or is long."""
    node: ast.expr = tree
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant | ast.Name):
            return ""
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    text = ast.unparse(tree)
    return text if len(text) <= LONGEST else ""


def resolve(tree: ast.expr, frame: FrameType) -> Any:
    """Return what an expression names in a frame, `MISSING` where telling it would run code.

    Parameters:
        tree: a name, an attribute, or a subscript by a constant or a name.
        frame: a running frame; up to 3.12 reading its locals leaves a copy of them on the frame.
    """
    if isinstance(tree, ast.Constant):
        return tree.value
    if isinstance(tree, ast.Name):
        name = _mangled(tree.id, frame.f_code)
        own = local(frame, name)
        return dict.get(frame.f_globals, name, MISSING) if own is MISSING else own
    if isinstance(tree, ast.Attribute):
        owner = resolve(tree.value, frame)
        return MISSING if owner is MISSING else stored(owner, _mangled(tree.attr, frame.f_code))
    if isinstance(tree, ast.Subscript):
        owner, key = resolve(tree.value, frame), resolve(tree.slice, frame)
        return MISSING if owner is MISSING or key is MISSING else item(owner, key)
    return MISSING


def local(frame: FrameType, name: str) -> Any:
    """Return a local variable of a running frame, `MISSING` if it is not set."""
    own = frame.f_locals
    if type(own) is not _PLAIN and type(own) is not dict:
        return MISSING  # the namespace of a class that its metaclass has prepared
    return own.get(name, MISSING)


def _mangled(name: str, code: CodeType) -> str:
    """Return a name as the compiler has written it: `__lock` in a class is `_Class__lock`."""
    if not name.startswith("__") or name.endswith("__"):
        return name
    known = (*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars)
    return next((x for x in known if x.startswith("_") and x.endswith(name) and x != name), name)


def stored(owner: Any, name: str) -> Any:
    """Return an attribute that is stored in a module, an instance, a slot or a class."""
    if is_a(owner, ModuleType):
        return names_of(owner).get(name, MISSING)
    try:
        found = attribute(owner, name)
    except TypeError:  # the slot of instances, asked of their class
        return MISSING
    return MISSING if found is None or _computes(found) else found


def _computes(found: Any) -> bool:
    """Tell whether reading an attribute would have asked a descriptor instead."""
    return inspect.getattr_static(type(found), "__get__", None) is not None


def item(owner: Any, key: Any) -> Any:
    """Return an item of an exact dictionary, list or tuple; keys are compared as plain values only."""
    kind = type(owner)
    if (kind is list or kind is tuple) and type(key) is int:
        return owner[key] if -len(owner) <= key < len(owner) else MISSING
    if kind is dict and type(key) in (str, int) and len(owner) <= MOST_KEYS:
        for known, value in list(owner.items()):
            if type(known) is type(key) and known == key:
                return value
    return MISSING
