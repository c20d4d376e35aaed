"""Which locks has a frame acquired by hand, and surely not released, on every way to where it stands?

A must-analysis over the bytecode of one function: a lock counts if each path from the function's begin to the
instruction passes `x.acquire()` and no `x.release()` after it.  What other functions do is not followed.
"""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

from pytest_taskleak.adapt.expressions import CODES, Taking, tree_at
from pytest_taskleak.adapt.ways import ways

MOST_STATES = 5000
"""After so many the code is too tangled, and nothing is said."""

State = frozenset[int]
"""The offsets of the calls of `acquire()` that are in force."""


class Flow(NamedTuple):
    """The ways through a function, by the numbers of its instructions.

    Parameters:
        offsets: of each instruction, in bytes.
        onwards: where each goes on to when nothing is raised.
        handlers: where it goes on to when something is.
        taken: number of a call of `acquire()` -> what is acquired.
        freed: number of a call of `release()` -> how that is written.
        stored: number -> the names that are given a new value.
    """

    offsets: tuple[int, ...]
    onwards: tuple[tuple[int, ...], ...]
    handlers: tuple[tuple[int, ...], ...]
    taken: dict[int, Taking]
    freed: dict[int, str]
    stored: dict[int, tuple[str, ...]]


def names_in(tree: ast.expr) -> frozenset[str]:
    """Return the names that an expression looks up."""
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def rebound(code: CodeType, tree: ast.expr, since: int, until: int) -> bool:
    """Tell whether a name of an expression is given another value between two offsets."""
    names = names_in(tree)
    return any(since < offset < until and not names.isdisjoint(given) for offset, given in _stores(code))


@lru_cache(maxsize=CODES)
def _stores(code: CodeType) -> tuple[tuple[int, tuple[str, ...]], ...]:
    return tuple((one.offset, given) for one in dis.get_instructions(code) if (given := _given(one)))


def _given(one: dis.Instruction) -> tuple[str, ...]:
    """Return the names that an instruction stores; from 3.13 some store two, or store and load."""
    if not one.opname.startswith(("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")):
        return ()
    given: Any = one.argval
    return tuple(given) if isinstance(given, tuple) else (given,)


@lru_cache(maxsize=CODES)
def acquired(code: CodeType, offset: int) -> tuple[Taking, ...]:
    """Return what a frame has acquired by `x.acquire()` without arguments, and not released.

    Parameters:
        code: the code object of a running frame.
        offset: where it stands, as `f_lasti`.
    """
    if "acquire" not in code.co_names:
        return ()
    flow = _flow(code)
    here = max((n for n, at in enumerate(flow.offsets) if at <= offset), default=-1)
    common: State | None = None
    for number, state in _states(flow):
        if number == here:
            common = state if common is None else common & state
        elif number < 0:
            return ()
    return tuple(taking for n, taking in flow.taken.items() if flow.offsets[n] in (common or ()))


def _states(flow: Flow) -> Iterator[tuple[int, State]]:
    """Yield (instruction, what is in force before it) of every way; -1 if there are too many."""
    todo: list[tuple[int, State]] = [(0, frozenset())]
    seen = set(todo)
    for number, state in todo:
        yield number, state
        after = _after(flow, number, state)
        new = {(n, after) for n in flow.onwards[number]} | {(n, state) for n in flow.handlers[number]}
        todo += sorted(new - seen, key=lambda pair: pair[0])
        seen |= new
        if len(seen) > MOST_STATES:
            yield -1, frozenset()
            return


def _after(flow: Flow, number: int, state: State) -> State:
    if number in flow.taken:
        return state | {flow.offsets[number]}
    if not state or (number not in flow.freed and number not in flow.stored):
        return state
    gone = set()
    for n, taking in flow.taken.items():
        freed = flow.freed.get(number) == ast.unparse(taking.tree)
        if freed or not names_in(taking.tree).isdisjoint(flow.stored.get(number, ())):
            gone.add(flow.offsets[n])
    return state - gone


@lru_cache(maxsize=CODES)
def _flow(code: CodeType) -> Flow:
    known = ways(code)
    every = known.steps
    flow = Flow(known.offsets, known.onwards, known.handlers, {}, {}, {})
    for n, one in enumerate(every):
        if given := _given(one):
            flow.stored[n] = given
        tree = tree_at(code, one.offset) if _loads(one) else None
        call = _call_after(every, n)
        if call is None or not isinstance(tree, ast.Attribute):
            continue
        if one.argval == "acquire":
            flow.taken[call] = Taking(tree.value, every[call].offset)
        else:
            flow.freed[call] = ast.unparse(tree.value)
    return flow


def _loads(one: dis.Instruction) -> bool:
    return one.opname in ("LOAD_ATTR", "LOAD_METHOD") and one.argval in ("acquire", "release")


def _call_after(every: Sequence[dis.Instruction], number: int) -> int | None:
    """Return the number of the call without arguments that follows closely, up to 3.11 past a `PRECALL`."""
    for n in range(number + 1, min(number + 4, len(every))):
        if every[n].opname == "CALL":
            return n if every[n].arg == 0 else None
    return None
