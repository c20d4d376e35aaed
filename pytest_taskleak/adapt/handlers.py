"""Which `except`, `with` or `finally` stands at an offset of a code object?

The interpreter tells where a handler begins as an offset; asyncio's `CancelledError` may pass several
clauses there before one takes it.  Only names are compared: no expression of the user is evaluated.
"""

from __future__ import annotations

import builtins
import dis
import linecache
from asyncio import CancelledError
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any, Literal

Sort = Literal["except", "with", "finally"]
TAKEN = frozenset(kind.__name__ for kind in CancelledError.__mro__[:-1])
"""The names of the classes that take a `CancelledError`."""
MOST_LINES = 30
"""Lines between `except` or `finally` and the first instruction of what follows."""
EXPRESSION = (
    "LOAD_",
    "BUILD_",
    "COPY",
    "SWAP",
    "PUSH_NULL",
    "PRECALL",
    "CALL",
    "CACHE",
    "NOP",
    "EXTENDED_ARG",
)


@dataclass(frozen=True, slots=True)
class Handler:
    """One clause that handles an exception.

    Parameters:
        line: the line of `except`, `finally` or `with`.
        sort: which of the three it is.
        text: the source of the clause up to its colon, else the word alone.
    """

    line: int
    sort: Sort
    text: str


@lru_cache(maxsize=256)
def handler_at(code: CodeType, offset: int) -> Handler | None:
    """Return the clause whose handler begins at an offset, `None` if no clause of the source does."""
    try:
        steps = [step for step in dis.get_instructions(code) if step.offset >= offset]
        if not steps or steps[0].opname != "PUSH_EXC_INFO":
            return None
        return clause(code, [step for step in steps[1:] if step.opname != "CACHE"])
    except Exception:  # noqa: BLE001 -- bytecode is an implementation detail of each release
        return None


def clause(code: CodeType, steps: list[Any]) -> Handler | None:
    """Return the clause that begins with these instructions, or the later one of the same `try`."""
    if steps[0].opname == "WITH_EXCEPT_START":
        line = line_of(steps)
        return Handler(line, "with", text_of(code, line) or "with")
    first = None
    for names, line in clauses(steps):
        line = upwards(code, line, "except")  # noqa: PLW2901 -- a tuple of classes may begin below it
        found = Handler(line, "except", text_of(code, line) or "except")
        if TAKEN & names:
            return found
        if first is None and not others(names):
            first = found
    if first is not None:
        return first
    if steps[0].opname == "POP_TOP":
        line = line_of(steps)
        return Handler(line, "except", text_of(code, line) or "except")
    line = upwards(code, line_of(steps), "finally")
    return Handler(line, "finally", "finally")


def clauses(steps: list[Any]) -> Iterator[tuple[frozenset[str], int]]:
    """Yield the names in each `except` of one `try`, and the first line that it has."""
    at = 0
    while at is not None:
        names = set()
        begin = at
        while at < len(steps) and steps[at].opname.startswith(EXPRESSION):
            if type(steps[at].argval) is str:
                names.add(steps[at].argval)
            at += 1
        if at >= len(steps) or not steps[at].opname.startswith(("CHECK_EXC_MATCH", "CHECK_EG_MATCH")):
            return
        yield frozenset(names), line_of(steps[begin:])
        jump = next((step for step in steps[at:] if step.opname.startswith("POP_JUMP")), None)
        target = None if jump is None else jump.argval
        at = next((n for n, step in enumerate(steps) if step.offset == target), len(steps))


def others(names: frozenset[str]) -> bool:
    """Tell whether a clause names built-in exceptions only, none of which takes a `CancelledError`."""
    kinds = [vars(builtins).get(name) for name in names]
    return bool(kinds) and all(type(kind) is type and issubclass(kind, Exception) for kind in kinds)


def line_of(steps: list[Any]) -> int:
    """Return the first line that instructions have."""
    return next(int(line) for step in steps if (line := step.positions and step.positions.lineno))


def upwards(code: CodeType, line: int, word: str) -> int:
    """Return the nearest line from `line` upwards that begins with a word, else `line` itself."""
    for number in range(line, max(code.co_firstlineno, line - MOST_LINES) - 1, -1):
        if linecache.getline(code.co_filename, number).lstrip().startswith(word):
            return number
    return line


def text_of(code: CodeType, line: int) -> str:
    """Return the source of a clause that begins on a line, up to its colon; empty if there is none."""
    text = linecache.getline(code.co_filename, line).strip()
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "#" or (letter == ":" and not depth):
            text = text[:at].rstrip()
            break
    return f"{text}...)" if depth else text


def inside(code: CodeType, offset: int, lasti: int) -> bool:
    """Tell whether an instruction lies within the handler that begins at an offset.

    The body of a handler is covered by an entry of the exception table that restores what was handled
    before, when another exception leaves it.  The way out from code before or after the handler does not
    lead there, or only through the handler's own beginning.
    """
    restore = target_of(table_of(code), offset + 2)
    if restore is None or code.co_code[restore] != dis.opmap["COPY"]:
        return False
    way = outwards(code, lasti)
    return restore in way and offset not in way


def in_handler(code: CodeType, lasti: int) -> bool:
    """Tell whether an instruction lies within a clause that handles an exception, whichever that is.

    Going outwards, each clause's body is left by an entry that restores what was handled before, and each
    `try` body by one that leads to a clause.
    """
    depth = 0
    for at in outwards(code, lasti):
        op = code.co_code[at]
        depth += (op == dis.opmap["COPY"]) - (op == dis.opmap["PUSH_EXC_INFO"])
    return depth > 0


def outwards(code: CodeType, lasti: int) -> list[int]:
    """Return the offsets of the handlers around an instruction, the innermost first."""
    table = table_of(code)
    found: list[int] = []
    at = target_of(table, lasti)
    while at is not None and at not in found:
        found.append(at)
        at = target_of(table, at)
    return found


@lru_cache(maxsize=256)
def table_of(code: CodeType) -> list[tuple[int, int, int]]:
    """Return the (start, end, target) of each entry of a code's exception table."""
    try:
        parse = dis._parse_exception_table  # type: ignore[attr-defined]
        return [(entry.start, entry.end, entry.target) for entry in parse(code)]
    except Exception:  # noqa: BLE001 -- a private helper
        return []


def target_of(table: list[tuple[int, int, int]], offset: int) -> int | None:
    """Return the target of the entry of an exception table that covers an offset."""
    return next((target for start, end, target in table if start <= offset < end), None)
