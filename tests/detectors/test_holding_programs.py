"""Is what a task holds told exactly, wherever in a program it waits?

Programs are made at random: blocks in blocks, loops, handlers, generators, comprehensions, mocks.  Their
managers note when they are entered and left, and at each wait both are compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import types
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any
from unittest import mock

import pytest

from pytest_taskleak.adapt import holding

PROGRAMS = 80
DEPTH = 4
Truth = list[tuple[Any, int]]


class Manager:
    """Knows the line that it was made on.

    Parameters:
        truth: what is held just now.
        line: the line.
        wait: what it waits for when it is entered and left.
    """

    def __init__(self, truth: Truth, line: int, wait: Callable[[], Any] | None = None) -> None:
        self.truth, self.line, self.wait = truth, line, wait

    def __enter__(self) -> None:
        self.truth.append((self, self.line))

    def __exit__(self, kind: object, *_: object) -> bool:
        self.truth.remove((self, self.line))
        return kind is KeyError

    async def __aenter__(self) -> None:
        if self.wait is not None:
            await self.wait()
        self.truth.append((self, self.line))

    async def __aexit__(self, kind: object, *_: object) -> bool:
        self.truth.remove((self, self.line))
        if self.wait is not None and kind is not GeneratorExit:
            await self.wait()
        return kind is KeyError


@functools.cache
def line_of(mark: str) -> int:
    with open(__file__, encoding="utf-8") as file:
        return next(number for number, row in enumerate(file, 1) if row.rstrip().endswith(f"# @{mark}"))


@contextlib.contextmanager
def helper(truth: Truth) -> Iterator[None]:
    with Manager(truth, line_of("helper")):  # @helper
        yield


@contextlib.asynccontextmanager
async def async_helper(truth: Truth) -> AsyncIterator[None]:
    async with Manager(truth, line_of("async-helper")):  # @async-helper
        yield


def items(truth: Truth) -> Generator[int]:
    with Manager(truth, line_of("items")):  # @items
        yield from (1, 2)


async def async_items(truth: Truth) -> AsyncGenerator[int]:
    async with Manager(truth, line_of("async-items")):  # @async-items
        for number in (1, 2):
            yield number


async def deeper(truth: Truth, stop: Callable[[], Any], later: object) -> None:
    async with Manager(truth, line_of("deeper")):  # @deeper
        await stop()


SIMPLE = (
    "await stop()",
    "x = [await stop() for y in range(2) if (lambda: y)]",
    "keep(1, *[2], k=await stop())",
    "await deeper(truth, stop, lambda: x)",
    "d = {**{}, 'a': await stop(), 'b': f'{await stop()}'}",
    "await stop(); raise KeyError",
)
BLOCKS = (
    "async with M(truth, {n}):",
    "async with M(truth, {n}, stop) as m{d}, M(truth, {n}):",
    "async with mock.AsyncMock(), M(truth, {n}):",
    "async with M(truth, {n}), mock.AsyncMock():",
    "async with async_helper(truth):",
    "with M(truth, {n}), mock.MagicMock():",
    "with mock.MagicMock(), contextlib.nullcontext(), M(truth, {n}) as m{d}:",
    "with helper(truth):",
    "for i{d} in [1, 2]:",
    "for i{d} in range(2):",
    "for i{d} in map(str, {{1: 2}}):",
    "with contextlib.closing(items(truth)) as g{d}:\n for i{d} in g{d}:",
    "async with contextlib.aclosing(async_items(truth)) as g{d}:\n async for i{d} in g{d}:",
    "if x or {d}:",
    "for w{d} in (1, 2):\n while w{d}:\n  w{d} -= 1",
)
HANDLERS = ("except KeyError:", "except Exception as e{d}:", "finally:", "except* KeyError:")


class Program:
    """Writes the text of one program."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.rows = ["async def work(truth, stop, M, keep, x=None):"]
        if self.random.random() < 0.3:
            self.add(1, "leave, owner, bound = M.__aexit__, M(truth, 0), M(truth, 0).__exit__")
        if self.random.random() < 0.3:
            self.add(1, "if x: unset = 1")
        self.block(1, DEPTH)
        self.text = "\n".join(self.rows) + "\n"

    def add(self, indent: int, rows: str) -> int:
        """Write rows; what belongs inside of the last begins in the returned column."""
        for row in rows.split("\n"):
            inner = len(row) - len(row.lstrip())
            self.rows.append(" " * (indent + inner) + row.strip())
        return indent + inner + (self.rows[-1].endswith(":"))

    def block(self, indent: int, depth: int) -> None:
        """Write one or two statements."""
        for _ in range(self.random.randint(1, 2)):
            if depth == 0:
                self.add(indent, self.random.choice(SIMPLE))
            elif self.random.random() < 0.25:
                self.add(indent, "try:")
                self.block(indent + 1, depth - 1)
                self.add(indent, self.random.choice(HANDLERS).format(d=depth))
                self.block(indent + 1, depth - 1)
            else:
                block = self.random.choice(BLOCKS)
                self.block(self.add(indent, block.format(d=depth, n=len(self.rows) + 1)), depth - 1)


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_program(seed: int, loop: asyncio.AbstractEventLoop) -> None:
    program = Program(seed)
    names: dict[str, Any] = {**globals(), "mock": mock}
    exec(compile(program.text, "<program>", "exec"), names)  # noqa: S102
    truth: Truth = []
    wrong: list[Any] = []
    compared = 0

    def compare() -> None:
        nonlocal compared
        compared += 1
        held = [(x.thing, x.line) for x in holding.held_by(task) if type(x.thing) is Manager]
        if held != truth:
            wrong.append(([line for _, line in held], [line for _, line in truth]))

    @types.coroutine
    def stop() -> Iterator[None]:
        loop.call_soon(compare)  # before the next step of the task
        yield

    task = loop.create_task(names["work"](truth, stop, Manager, lambda *_, **__: None))
    loop.run_until_complete(asyncio.wait([task]))
    assert isinstance(task.exception(), KeyError | ExceptionGroup | None)
    assert wrong == [], program.text
    assert compared > 0
    assert truth == []
