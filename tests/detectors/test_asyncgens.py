"""Async generators: closed, held by a task, or left suspended?"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak.adapt import asyncgens

if TYPE_CHECKING:
    from tests.detectors.conftest import Lab

KIND = "asyncgen"
KEPT: list[Any] = []
"""What holds a generator: one that only frames lead to is on its way out."""


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Nothing is kept from test to test."""
    yield
    KEPT.clear()


async def endless() -> AsyncGenerator[int]:
    """Yield without end; closed in one turn."""
    number = 0
    try:
        while True:
            await asyncio.sleep(0)
            yield number
            number += 1
    finally:
        await asyncio.sleep(0)


def numbers() -> Any:
    """Return a generator that was not begun."""
    return endless()


async def first(generator: AsyncIterator[int]) -> int:
    return await anext(generator)


def test_suspended_until_closed(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    generator = numbers()
    assert lab.live(KIND) == [], "not begun"
    loop.run_until_complete(first(generator))
    assert lab.live(KIND) == [generator]
    detector = lab.detector(KIND)
    told = detector.describe(generator)
    assert (told.code, told.what, told.noun) == ("TL611", "endless", "async generator")
    assert (told.state, told.waits_for) == ("is still suspended", "its next iteration")
    assert [frame.qualname for frame in told.waiting] == ["endless"]
    assert told.waiting[0].line == endless.__code__.co_firstlineno + 6, "the line of the yield"
    assert detector.loop(generator) is loop
    cut = detector.ended(told, "cancel")
    assert (cut.code, cut.state, cut.outlives) == (
        "TL612",
        "was still suspended when its runner closed",
        False,
    )
    assert detector.advice(cut) != detector.advice(told)
    loop.run_until_complete(generator.aclose())
    assert lab.live(KIND) == []


def test_exhausted_and_failed(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    async def one() -> AsyncIterator[int]:
        yield 1

    async def fail() -> AsyncIterator[int]:
        yield 1
        raise ValueError

    async def use(generator: AsyncIterator[int]) -> list[int]:
        return [number async for number in generator]

    some, bad = one(), fail()
    assert loop.run_until_complete(use(some)) == [1]
    with pytest.raises(ValueError):
        loop.run_until_complete(use(bad))
    assert lab.live(KIND) == []


def test_dropped_ones_are_closed_by_turning(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    loop.run_until_complete(first(numbers()))
    assert not lab.watch.close(lab.scope)


def test_one_that_only_dead_frames_lead_to(lab: Lab) -> None:
    async def main() -> None:
        generator = numbers()
        async for number in generator:
            if number == 2:
                raise ValueError

    with pytest.raises(ValueError) as caught:
        asyncio.run(main())
    assert not lab.watch.close(lab.scope)
    assert caught.traceback


def test_one_that_only_a_traceback_leads_to(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        generator = numbers()
        await anext(generator)
        raise ValueError

    with pytest.raises(ValueError) as caught:
        loop.run_until_complete(main())
    assert len(lab.live(KIND)) == 1
    assert not lab.watch.close(lab.scope)
    assert caught.traceback


def test_dropped_in_a_circle(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    class Stream:
        def __init__(self) -> None:
            self.generator = self.numbers()

        async def numbers(self) -> AsyncGenerator[int]:
            async for number in numbers():
                yield number

    gc.disable()
    try:
        loop.run_until_complete(first(Stream().generator))
        assert len(lab.live(KIND)) == 2
        assert not lab.watch.close(lab.scope)
    finally:
        gc.enable()


def test_removal_runs_the_finally_clause(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    generator = numbers()
    KEPT.append(generator)
    loop.run_until_complete(first(generator))
    verdict = lab.watch.close(lab.scope)
    assert [f.code for f in verdict.findings] == ["TL611"]
    assert generator.ag_frame is None
    assert not asyncio.all_tasks(loop)


def test_removal_is_bounded(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    async def stubborn() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await loop.create_future()

    generator: Any = stubborn()
    KEPT.append(generator)
    loop.run_until_complete(first(generator))
    verdict = lab.watch.close(lab.scope)
    assert [f.code for f in verdict.findings] == ["TL611"]
    assert generator.ag_frame is None, "its clean-up was cancelled"
    assert not asyncio.all_tasks(loop)


def test_removal_on_a_loop_elsewhere(lab: Lab) -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    generator = numbers()
    asyncio.run_coroutine_threadsafe(first(generator), loop).result()
    detector = lab.detector(KIND)
    assert detector.patience(generator) == 0.0
    assert detector.remove(generator)
    while generator.ag_frame is not None:
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_pending_task_answers_for_what_it_iterates(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    async def outer() -> AsyncIterator[int]:
        async for number in inner():
            yield number

    async def inner() -> AsyncIterator[int]:
        yield 1
        await loop.create_future()

    async def consume() -> None:
        async for _ in outer():
            await asyncio.sleep(0)

    task = loop.create_task(consume())
    for _ in range(4):
        loop.run_until_complete(asyncio.sleep(0))
    held = [generator.ag_code.co_name for generator in asyncgens.generators_of(task)]
    assert sorted(held) == ["inner", "outer"]
    assert lab.live(KIND) == []
    assert lab.live("task") == [task]
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))


def test_the_running_one_is_not_left(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    alive: list[bool] = []

    async def look() -> AsyncIterator[int]:
        alive.append(lab.detector(KIND).alive(generator))
        yield 1
        alive.append(lab.detector(KIND).alive(generator))

    async def use() -> None:
        async for _ in generator:
            pass

    generator: Any = look()
    loop.run_until_complete(use())
    assert alive == [False, False]


def test_cut_off_by_a_runner(lab: Lab) -> None:
    async def main() -> None:
        KEPT.append(numbers())
        await anext(KEPT[0])

    lab.watch.running = lab.scope
    asyncio.run(main())
    verdict = lab.watch.close(lab.scope)
    assert [f.code for f in verdict.findings] == ["TL612"]
    assert verdict.findings[0].birth.frames[0].qualname.endswith("main")


def test_uvloop(lab: Lab) -> None:
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    generator = numbers()
    loop.run_until_complete(first(generator))
    assert lab.live(KIND) == [generator]
    assert lab.detector(KIND).loop(generator) is loop
    loop.run_until_complete(generator.aclose())
    loop.run_until_complete(first(numbers()))
    verdict = lab.watch.close(lab.scope)
    assert [f.code for f in verdict.findings] == ["TL601"], "the dropped one was closed by turning"
    assert loop.is_closed()


def test_trio(lab: Lab) -> None:
    trio = pytest.importorskip("trio")
    seen: list[list[Any]] = []

    async def ones() -> AsyncIterator[int]:
        while True:
            yield 1

    async def main() -> None:
        generator: Any = ones()
        await anext(generator)
        seen.append([x is generator for x in lab.live(KIND)])
        assert lab.detector(KIND).loop(generator) is None
        assert lab.detector(KIND).remove(generator) is False
        await generator.aclose()
        seen.append(lab.live(KIND))

    trio.run(main)
    assert seen == [[True], []]


def test_hooks_of_trio_are_its_own_again(lab: Lab) -> None:
    trio = pytest.importorskip("trio")
    before = sys.get_asyncgen_hooks()
    trio.run(trio.sleep, 0)
    assert sys.get_asyncgen_hooks() == before
