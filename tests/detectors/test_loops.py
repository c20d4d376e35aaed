"""Event loops: closed, run by somebody, or left open?"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak.engine.losses import LOSSES

if TYPE_CHECKING:
    from tests.detectors.conftest import Lab


@pytest.fixture
def loops() -> Iterator[list[asyncio.AbstractEventLoop]]:
    """Closes what the test puts in."""
    made: list[asyncio.AbstractEventLoop] = []
    yield made
    for loop in made:
        loop.close()


@pytest.fixture
def current(loops: list[asyncio.AbstractEventLoop]) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that is the thread's current one."""
    loops.append(asyncio.new_event_loop())
    asyncio.set_event_loop(loops[0])
    yield loops[0]
    asyncio.set_event_loop(None)


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


def test_open_until_closed(lab: Lab) -> None:
    loop = asyncio.new_event_loop()
    assert lab.live("loop") == [loop]
    told = lab.detector("loop").describe(loop)
    assert (told.code, told.noun, told.state) == ("TL601", "event loop", "is still open")
    assert told.name == type(loop).__qualname__
    assert told.details == ()
    loop.close()
    assert lab.live("loop") == []


def test_contents_are_told(lab: Lab, loops: list[asyncio.AbstractEventLoop]) -> None:
    loop = asyncio.new_event_loop()
    loops.append(loop)
    task = loop.create_task(forever())
    timer = loop.call_later(3600, print)
    loop.run_until_complete(loop.run_in_executor(None, int))
    detector = lab.detector("loop")
    assert dict(detector.describe(loop).details) == {
        "tasks": "1 pending on it",
        "timers": "1 scheduled on it",
        "executor": "its default executor was not shut down",
    }
    assert [type(part) for part in detector.parts(loop)] == [ThreadPoolExecutor]
    task.cancel()
    timer.cancel()
    loop.run_until_complete(loop.shutdown_default_executor())
    assert detector.describe(loop).details == ()


def test_uvloop(lab: Lab) -> None:
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    assert lab.live("loop") == [loop]
    (entry,) = lab.scope.births["loop"]
    assert entry.birth[1][0].co_name == "test_uvloop", "the user's line comes first"
    loop.run_until_complete(loop.run_in_executor(None, int))
    detector = lab.detector("loop")
    assert ("executor", "its default executor was not shut down") in detector.describe(loop).details
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert lab.live("loop") == []


def test_a_running_loop_is_what_its_thread_does(lab: Lab) -> None:
    loop = asyncio.new_event_loop()
    started = threading.Event()
    loop.call_soon(started.set)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    started.wait()
    assert lab.live("loop") == []
    assert lab.live("thread") == [thread]
    assert lab.detector("loop").remove(loop) is False
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    assert lab.live("loop") == [loop]
    loop.close()


def test_a_loop_that_runs_here_is_not_left(lab: Lab) -> None:
    async def look() -> bool:
        return lab.detector("loop").alive(asyncio.get_running_loop())

    assert asyncio.run(look()) is False


def test_runs_leave_none(lab: Lab) -> None:
    asyncio.run(asyncio.sleep(0))
    with asyncio.Runner() as runner:
        runner.run(asyncio.sleep(0))
        assert lab.live("loop") == [runner.get_loop()]
    assert lab.live("loop") == []


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="get_event_loop() makes no loop any more")
@pytest.mark.filterwarnings("ignore:There is no current event loop:DeprecationWarning")
def test_the_implicit_loop_is_nobodys(lab: Lab, loops: list[asyncio.AbstractEventLoop]) -> None:
    thread_local: Any = asyncio.get_event_loop_policy()._local  # type: ignore[attr-defined,deprecated]
    before = vars(thread_local).copy()
    vars(thread_local).update(_loop=None, _set_called=False)  # as in a fresh process
    try:
        loops.append(asyncio.get_event_loop())
    finally:
        vars(thread_local).clear()
        vars(thread_local).update(before)
    assert lab.live("loop") == []


def drop() -> weakref.ref[asyncio.AbstractEventLoop]:
    """Make a loop and forget it."""
    loop = asyncio.new_event_loop()
    loop.call_soon(print)
    return weakref.ref(loop)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning")
def test_dropped_before_the_end(lab: Lab) -> None:
    gone = drop()
    gc.collect()
    assert gone() is None
    verdict = lab.watch.close(lab.scope)
    (finding,) = [f for f in verdict.findings if f.kind == "loop"]
    assert (finding.code, finding.resource.state) == ("TL601", "was dropped without close()")
    assert finding.birth.frames[0].qualname == "drop"
    assert finding.owner == lab.scope.owner


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning")
def test_what_was_seen_at_the_end_is_no_news_later(lab: Lab) -> None:
    gone = drop()
    assert len(lab.live("loop")) == 1, "seen"
    LOSSES.queue.clear()
    gc.collect()
    assert gone() is None
    assert not [kind for kind, *_ in LOSSES.queue if kind == "loop"]


def test_a_closed_loop_is_no_loss(lab: Lab) -> None:
    def close() -> None:
        asyncio.new_event_loop().close()

    close()
    LOSSES.queue.clear()
    gc.collect()
    assert not [kind for kind, *_ in LOSSES.queue if kind == "loop"]


def test_removal_closes(lab: Lab, loops: list[asyncio.AbstractEventLoop]) -> None:
    loops.append(asyncio.new_event_loop())
    verdict = lab.watch.close(lab.scope)
    assert [f.code for f in verdict.findings] == ["TL601"]
    assert loops[0].is_closed()


def test_the_current_loop_is_told_and_left(lab: Lab, current: asyncio.AbstractEventLoop) -> None:
    made = asyncio.new_event_loop()
    before = asyncio.get_event_loop()
    asyncio.set_event_loop(made)
    verdict = lab.watch.close(lab.scope)
    assert [f.code for f in verdict.findings] == ["TL601"]
    assert not made.is_closed(), "get_event_loop() would return a closed loop to other tests"
    asyncio.set_event_loop(before)
    made.close()


def test_nobody_waits_for_a_loop(lab: Lab, loops: list[asyncio.AbstractEventLoop]) -> None:
    loops.append(asyncio.new_event_loop())
    assert lab.detector("loop").patience(loops[0]) == float("inf")
    assert lab.detector("loop").helper(loops[0])
    assert not lab.detector("loop").collectable, "the collector does not close a loop, it drops it"


def test_arguments_are_passed_on(lab: Lab) -> None:
    class Own(asyncio.SelectorEventLoop):
        def __init__(self, selector: object = None, *, name: str) -> None:
            super().__init__(selector)  # type: ignore[arg-type]
            self.name = name

    loop = Own(name="mine")
    assert loop.name == "mine"
    assert lab.live("loop") == [loop]
    assert lab.detector("loop").describe(loop).what.endswith("Own")
    loop.close()
