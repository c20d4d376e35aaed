"""Tasks: alive, told, folded, removed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.engine.explaining import explain

if TYPE_CHECKING:
    from tests.detectors.conftest import Lab


async def forever() -> None:
    """Wait on the loop's own timer."""
    await asyncio.sleep(3600)


class Poller:
    """Has a coroutine method."""

    async def run(self) -> None:
        await forever()


def settle(loop: asyncio.AbstractEventLoop) -> None:
    """Let everything that is ready run."""
    asyncio_.turn(loop, 5)


def test_alive_until_done(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    task = loop.create_task(forever())
    assert lab.live() == [task]
    task.cancel()
    assert lab.live() == [task], "a cancellation that was not yet seen ends nothing"
    settle(loop)
    assert lab.live() == []


def test_running_task_does_not_count(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> list[Any]:
        return lab.live()

    assert loop.run_until_complete(main()) == []


def test_describe(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    task = loop.create_task(Poller().run(), name="poller")
    detector = lab.detector("task")
    fresh = detector.describe(task)
    assert fresh.waits_for == "nothing: it never started"
    assert detector.advice(fresh).startswith("await the task")
    settle(loop)
    told = detector.describe(task)
    assert (told.code, told.name, told.what) == ("TL101", "poller", "Poller.run")
    assert told.module.endswith("test_tasks")
    assert [f.qualname for f in told.waiting if f.role == "project"] == ["Poller.run", "forever"]
    assert told.waits_for == "asyncio.sleep(3600)"


@pytest.mark.parametrize("seconds", [0.5, 60])
def test_patience_of_a_sleeper(lab: Lab, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    task = loop.create_task(asyncio.sleep(seconds))
    settle(loop)
    assert lab.detector("task").patience(task) == pytest.approx(seconds, abs=0.4)


def test_patience_of_others_is_unknown(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    gate = asyncio.Event()
    task = loop.create_task(gate.wait())
    settle(loop)
    assert lab.detector("task").patience(task) == 0.0


def test_patience_is_never_too_long(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    short, long = loop.create_task(asyncio.sleep(0.3)), loop.create_task(asyncio.sleep(600))
    settle(loop)
    assert lab.detector("task").patience(short) <= 0.3
    assert lab.detector("task").patience(long) <= 600


def test_remove(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    task = loop.create_task(forever())
    settle(loop)
    assert lab.detector("task").remove(task) is True
    settle(loop)
    assert task.cancelled()


def told(lab: Lab) -> list[str]:
    """Return the names of what is told, with its notes."""
    left = lab.watch.live(lab.scope, lab.watch.policy)
    return [" ".join([f.resource.name, *f.notes]) for _, f in explain(left, lab.scope, "")]


def test_what_waits_for_another_folds_it(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    async def outer() -> None:
        await loop.create_task(forever(), name="inner")

    loop.create_task(outer(), name="outer")
    settle(loop)
    assert told(lab) == ["outer with 1 more that it waits for or owns (task)"]


@pytest.mark.parametrize("how", ["gather", "wait", "shield", "wait_for", "group"])
def test_folding(lab: Lab, loop: asyncio.AbstractEventLoop, how: str) -> None:
    async def outer() -> None:
        children = [loop.create_task(forever(), name=f"child-{i}") for i in range(2)]
        if how == "gather":
            await asyncio.gather(*children)
        elif how == "wait":
            await asyncio.wait(children)
        elif how == "shield":
            children.pop().cancel()
            await asyncio.shield(children[0])
        else:
            children.pop().cancel()
            await asyncio.wait_for(children[0], 3600)

    async def grouped() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(forever())

    loop.create_task(grouped() if how == "group" else outer(), name="outer")
    settle(loop)
    names = told(lab)
    assert len(names) == 1, names
    assert names[0].startswith("outer with ")


def test_circles_are_told_by_one(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    tasks: list[asyncio.Task[None]] = []

    async def wait_for(index: int) -> None:
        await asyncio.sleep(0)
        await asyncio.wait({tasks[index]})

    tasks += [loop.create_task(wait_for(1), name="one"), loop.create_task(wait_for(0), name="two")]
    settle(loop)
    names = told(lab)
    assert len(names) == 1


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_eager_tasks(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    loop.set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009 -- absent in 3.11

    async def main() -> None:
        loop.create_task(forever(), name="left")
        done = loop.create_task(noop())
        assert done.done()

    async def noop() -> None:
        pass

    loop.run_until_complete(main())
    assert [t.get_name() for t in lab.live()] == ["left"]


def test_own_task_classes(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    class Own(asyncio.Task[Any]):
        __slots__ = ()

    loop.set_task_factory(lambda loop, coro, **options: Own(coro, loop=loop, **options))
    task = loop.create_task(forever(), name="own")
    assert lab.live() == [task]


def test_odd_coroutines(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    class Custom(Coroutine[Any, Any, None]):
        def __init__(self) -> None:
            self.inner = forever()

        def send(self, value: Any) -> Any:
            return self.inner.send(value)

        def throw(self, *args: Any) -> Any:
            return self.inner.throw(*args)

        def close(self) -> None:
            self.inner.close()

        def __await__(self) -> Any:
            return self.inner.__await__()

    task = loop.create_task(Custom())
    settle(loop)
    told = lab.detector("task").describe(task)
    assert told.what == "test_odd_coroutines.<locals>.Custom"
