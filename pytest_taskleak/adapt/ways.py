"""Which ways lead from one instruction of a function to others, and does one lead back to it?

The ways are those of the bytecode, those of exceptions too.  What is only compiled like a loop is none: an
`await` asks again and again what it awaits, and the handlers of exceptions stand behind everything else and
jump back from there.
"""

from __future__ import annotations

import dis
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from types import CodeType
from typing import NamedTuple

from pytest_taskleak.adapt.with_blocks import exception_table

CODES = 512
"""How many code objects are remembered."""
_JUMPS = frozenset(getattr(dis, "hasjump", ()) or (*dis.hasjrel, *dis.hasjabs))
_ENDS = ("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "INTERPRETER_EXIT")
_ALWAYS = ("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "JUMP", "JUMP_NO_INTERRUPT")


class Ways(NamedTuple):
    """The ways through a function, by the numbers of its instructions.

    Parameters:
        steps: the instructions.
        offsets: of each instruction, in bytes.
        onwards: where each goes on to when nothing is raised.
        handlers: where it goes on to when something is.
    """

    steps: tuple[dis.Instruction, ...]
    offsets: tuple[int, ...]
    onwards: tuple[tuple[int, ...], ...]
    handlers: tuple[tuple[int, ...], ...]

    def at(self, offset: int) -> int:
        """Return the number of the instruction at an offset, or of the last one before it; -1 if none is."""
        return bisect_right(self.offsets, offset) - 1


@lru_cache(maxsize=CODES)
def ways(code: CodeType) -> Ways:
    """Return the ways through a function."""
    steps = tuple(dis.get_instructions(code))
    numbers = {step.offset: n for n, step in enumerate(steps)}
    onwards: list[tuple[int, ...]] = []
    for n, step in enumerate(steps):
        target = (numbers[step.argval],) if step.opcode in _JUMPS and step.argval in numbers else ()
        falls = step.opname not in _ENDS and step.opname not in _ALWAYS and n + 1 < len(steps)
        onwards.append((*target, n + 1) if falls else target)
    entries = exception_table(code)
    handlers = tuple(
        tuple(numbers[e.target] for e in entries if e.start <= step.offset < e.end and e.target in numbers)
        for step in steps
    )
    return Ways(steps, tuple(numbers), tuple(onwards), handlers)


@lru_cache(maxsize=CODES)
def repeats(code: CodeType, offset: int) -> bool:
    """Tell whether a frame that is suspended at an offset may come there again.

    The condition of a loop may be compiled twice, before the loop and at its end: what stands at the same
    place of the source is the same.
    """
    known = ways(code)
    here = known.at(offset)
    if here < 0:
        return False
    step = known.steps[here]
    same = [
        n
        for n, other in enumerate(known.steps)
        if (other.opname, other.positions) == (step.opname, step.positions)
    ]
    return any(n in reached(known, after(known, n)) for n in same)


def after(known: Ways, number: int) -> Iterable[int]:
    """Return where an instruction goes on to.

    A jump back to the question of an `await` goes past it, and so does one to the head of a `for`: what is
    iterated over comes to its end.
    """
    found = []
    for n in known.onwards[number]:
        asks = n < number and known.steps[n].opname in ("SEND", "FOR_ITER")
        found += [max(known.onwards[n])] if asks else [n]
    return (*found, *known.handlers[number])


def reached(known: Ways, start: Iterable[int]) -> set[int]:
    """Return the numbers of the instructions to which ways lead."""
    seen: set[int] = set()
    todo = [*start]
    while todo:
        number = todo.pop()
        if number not in seen:
            seen.add(number)
            todo += after(known, number)
    return seen
