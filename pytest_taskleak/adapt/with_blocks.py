"""Which `with` blocks is a code object in at an instruction, and on which lines were they entered?

The exception table leads from an instruction to its handler and from that one outwards; the handler of a
`with` block starts with `WITH_EXCEPT_START`.  No source is needed and nothing is evaluated.
Format of the table: CPython, `InternalDocs/exception_handling.md`; it is the same from 3.11 to 3.15.
"""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FrameType

from pytest_taskleak.adapt.expressions import segment

Position = tuple[int | None, int | None, int | None, int | None]
"""First line, last line, first column, last column (in bytes of UTF-8)."""

CODES = 2048
"""So many answers are kept, the last asked ones."""
HANDLER_HEAD = 3
"""Within so many instructions a handler says that it belongs to a `with`."""
SEND_LOOP = 12
"""So many units of two bytes an `await` takes at most, from `GET_AWAITABLE` to where it stands."""


def _codes(*names: str) -> frozenset[int]:
    return frozenset(dis.opmap[name] for name in names if name in dis.opmap)


EXCEPT = _codes("WITH_EXCEPT_START")
AWAITABLE = _codes("GET_AWAITABLE")
ENTER = _codes("BEFORE_WITH", "BEFORE_ASYNC_WITH")
"""Up to 3.13 one instruction enters a block; its position is the whole statement."""
CACHE = _codes("CACHE")
ENTERING, LEAVING = 1, 2
"""What `GET_AWAITABLE` says of an `async with`; 0 is any other `await`."""


@dataclass(frozen=True, slots=True)
class WithBlock:
    """A `with` block that an instruction stands in.

    Parameters:
        line: the line of the item: of the expression whose value was entered.
        position: where that expression stands.
        depth: how many values lie on the stack of the frame, the exit of the block included.
        is_async: whether it is an `async with`.
        offset: an instruction, in bytes, that has the position of the item.
    """

    line: int
    position: Position
    depth: int
    is_async: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an exception table; offsets are in bytes."""

    start: int
    end: int
    target: int
    depth: int


def _varint(table: Iterator[int]) -> int:
    part = next(table)
    value = part & 63
    while part & 64:
        part = next(table)
        value = value << 6 | part & 63
    return value


@lru_cache(maxsize=CODES)
def exception_table(code: CodeType) -> tuple[Entry, ...]:
    """Return the entries of the exception table of a code object, as far as they can be read."""
    found = []
    table = iter(getattr(code, "co_exceptiontable", b""))
    try:
        while True:
            start = _varint(table) * 2
            end = start + _varint(table) * 2
            target = _varint(table) * 2
            found.append(Entry(start, end, target, _varint(table) >> 1))
    except StopIteration:
        return tuple(found)


@lru_cache(maxsize=CODES)
def positions(code: CodeType) -> tuple[Position, ...]:
    """Return the position of every unit of two bytes of a code object."""
    return tuple(code.co_positions())


@lru_cache(maxsize=CODES)
def instructions(code: CodeType) -> bytes:
    """Return the opcodes of a code object, one for each unit of two bytes."""
    return code.co_code[::2]


@lru_cache(maxsize=CODES)
def with_blocks(code: CodeType, lasti: int) -> tuple[WithBlock, ...]:
    """Return the `with` blocks that were entered at an instruction, the innermost last.

    A block that is being entered or left just now is not among them.

    Parameters:
        code: the code object of a suspended or running frame.
        lasti: where it stands, in bytes, as `f_lasti`; negative for a frame that has not begun.
    """
    entries = exception_table(code)
    found: list[WithBlock] = []
    seen: set[int] = set()
    while (entry := next((e for e in entries if e.start <= lasti < e.end), None)) is not None:
        lasti = entry.target
        if lasti in seen:
            break
        seen.add(lasti)
        head = instructions(code)[lasti // 2 : lasti // 2 + HANDLER_HEAD + 1]
        at = next((i for i, opcode in enumerate(head[:HANDLER_HEAD]) if opcode in EXCEPT), None)
        if at is not None:
            found.append(_block(code, entry, is_async=any(x in AWAITABLE for x in head[at + 1 : at + 2])))
    return tuple(reversed(found))


def _block(code: CodeType, entry: Entry, *, is_async: bool) -> WithBlock:
    item = entry.target
    if ENTER:
        start = min(e.start for e in exception_table(code) if e.target == entry.target)
        item = _fed(code, _entered_before(code, start // 2)) or item
    where = positions(code)[item // 2]
    return WithBlock(where[0] or code.co_firstlineno, where, entry.depth, is_async, item)


def _entered_before(code: CodeType, unit: int) -> int | None:
    """Return the unit of the entering instruction that stands closely before another one."""
    opcodes = instructions(code)
    units = range(unit - 1, max(unit - SEND_LOOP, 0), -1)
    return next((at for at in units if opcodes[at] in ENTER), None)


def _fed(code: CodeType, unit: int | None) -> int | None:
    """Return the offset, in bytes, of the instruction whose value another one enters."""
    if unit is None:
        return None
    opcodes = instructions(code)
    return 2 * next((at for at in range(unit - 1, 0, -1) if opcodes[at] not in CACHE), unit)


def with_items(code: CodeType, lasti: int) -> list[tuple[int, Position]]:
    """Return (line, position) of the items of the `with` blocks around an instruction, the innermost last.

    Parameters:
        code: the code object of a suspended or running frame.
        lasti: where it stands, in bytes, as `f_lasti`.
    """
    return [(block.line, block.position) for block in with_blocks(code, lasti)]


def held_in(frame: FrameType) -> list[tuple[int, str | None]]:
    """Return (line, source of the item) of the `with` blocks around a running frame, the innermost last.

    What the items are cannot be seen from outside: the stack of a running frame is hidden.
    """
    code = frame.f_code
    return [(block.line, text_at(code, block.offset) or None) for block in with_blocks(code, frame.f_lasti)]


def text_at(code: CodeType, offset: int) -> str:
    """Return the source of the expression at an instruction on one line, empty where there is none.

    Parameters:
        code: the code object.
        offset: the instruction, in bytes.
    """
    text = segment(code, offset)
    try:
        tree = ast.parse(f"({text}\n)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""  # a whole statement, or the file has changed
    if isinstance(tree, ast.Await):
        tree = tree.value
    elif "\n" not in text:
        return text
    return ast.unparse(tree)


def expression_at(code: CodeType, lasti: int) -> str:
    """Return the source of what a frame awaits, calls or enters, empty where there is no source.

    For `async with lock` that is `lock`, for `await queue.get()` it is `queue.get()`.

    Parameters:
        code: the code object of a suspended or running frame.
        lasti: where it stands, in bytes, as `f_lasti`.
    """
    opcodes, unit = instructions(code), lasti // 2
    if not 0 <= unit < len(opcodes):
        return ""
    if ENTER:
        if opcodes[unit] in ENTER:
            return text_at(code, _fed(code, unit) or lasti)
        awaited = next(
            (at for at in range(unit, max(unit - SEND_LOOP, 0), -1) if opcodes[at] in AWAITABLE), None
        )
        how = code.co_code[2 * awaited + 1] if awaited is not None and _in_send_loop(opcodes, unit) else 0
        if awaited is not None and how == ENTERING:
            return text_at(code, _fed(code, _entered_before(code, awaited + 1)) or lasti)
        if how == LEAVING:
            return ""
    return text_at(code, lasti)


_YIELDS = _codes("YIELD_VALUE", "SEND", "RESUME")


def _in_send_loop(opcodes: bytes, unit: int) -> bool:
    return opcodes[unit] in _YIELDS
