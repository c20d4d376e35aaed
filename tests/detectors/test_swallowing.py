# ruff: noqa: B025, BLE001, E701, E722, S112, SIM105 -- these ways to write it are what is shown
"""Is the line named that keeps a `CancelledError` from ending its task, in every way to write it?"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import inspect
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_taskleak.adapt import asyncio_, swallowing
from pytest_taskleak.adapt.swallowing import Probe, Swallow, watching

Shape = Callable[[], Coroutine[Any, Any, None]]
STAY = [True]
"""Emptied when the tasks are to end after all."""
KEPT: list[object] = []
"""The tasks of a test: nobody else keeps them."""
CANCELLED = asyncio.CancelledError


async def wait() -> None:
    """Wait for what never comes."""
    await asyncio.get_running_loop().create_future()


async def plain() -> None:
    while STAY:
        try:
            await wait()
        except asyncio.CancelledError:  # HERE
            pass


async def later_clause() -> None:
    while STAY:
        try:
            await wait()
        except ValueError:
            pass
        except (
            KeyError,
            OSError,
        ):
            pass
        except (OSError, asyncio.CancelledError) as error:  # HERE
            del error


async def several_lines() -> None:
    while STAY:
        try:
            await wait()
        except (  # HERE
            OSError,
            asyncio.CancelledError,
        ):
            continue


async def everything() -> None:
    while STAY:
        try:
            await wait()
        except BaseException:  # HERE
            continue


async def bare() -> None:
    while STAY:
        try:
            await wait()
        except:  # HERE
            continue


async def another_name() -> None:
    while STAY:
        try:
            await wait()
        except ValueError:
            pass
        except CANCELLED:  # HERE
            pass


async def group() -> None:
    while STAY:
        try:
            await wait()
        except* asyncio.CancelledError:  # HERE
            pass


async def suppressed() -> None:
    while STAY:
        with contextlib.suppress(asyncio.CancelledError):  # HERE
            await wait()


async def one_line() -> None:
    while STAY:
        with contextlib.suppress(asyncio.CancelledError): await wait()  # HERE  # fmt: skip


async def raised_again_inside() -> None:
    while STAY:
        with contextlib.suppress(asyncio.CancelledError):  # HERE
            try:
                try:
                    await wait()
                finally:
                    gc.isenabled()
            except asyncio.CancelledError:
                raise


async def kept_inside() -> None:
    while STAY:
        with contextlib.suppress(asyncio.CancelledError):
            try:
                await wait()
            except asyncio.CancelledError:  # HERE
                pass


async def by_a_library() -> None:
    async def library() -> None:
        try:
            await wait()
        except asyncio.CancelledError:  # HERE
            return

    while STAY:
        await library()


async def around_shield() -> None:
    inner = asyncio.ensure_future(wait())
    while STAY:
        try:
            await asyncio.shield(inner)
        except asyncio.CancelledError:  # HERE
            pass
    inner.cancel()


async def around_timeout() -> None:
    while STAY:
        try:
            async with asyncio.timeout(3600):
                await wait()
        except asyncio.CancelledError:  # HERE
            pass


async def around_wait_for() -> None:
    while STAY:
        try:
            await asyncio.wait_for(wait(), 3600)
        except asyncio.CancelledError:  # HERE
            pass


async def by_a_manager() -> None:
    @contextlib.asynccontextmanager
    async def manager() -> AsyncIterator[None]:
        try:
            yield
        except asyncio.CancelledError:  # HERE
            pass

    while STAY:
        async with manager():
            await wait()


async def by_a_stack() -> None:
    while STAY:
        async with contextlib.AsyncExitStack() as stack:  # HERE
            stack.enter_context(contextlib.suppress(asyncio.CancelledError))
            await wait()


async def in_a_generator() -> None:
    async def generator() -> AsyncIterator[int]:
        while STAY:
            try:
                await wait()
            except asyncio.CancelledError:  # HERE
                yield 1

    async for _ in generator():
        pass


async def in_a_slow_finally() -> None:
    try:
        await wait()
    finally:  # HERE
        gc.isenabled()
        await wait()


async def in_a_slow_except() -> None:
    try:
        await wait()
    except asyncio.CancelledError:  # HERE
        await wait()
        raise


async def in_a_slow_exit() -> None:
    class Client:
        async def __aenter__(self) -> None:
            pass

        async def __aexit__(self, *_: object) -> None:
            await wait()

    async with Client():  # HERE
        await wait()


SWALLOWING: list[Shape] = [
    plain, later_clause, several_lines, everything, bare, another_name, group, suppressed, one_line,
    raised_again_inside, kept_inside, by_a_library, around_shield, around_timeout, around_wait_for,
    by_a_manager, by_a_stack, in_a_generator,
]  # fmt: skip
CLEANING: list[Shape] = [in_a_slow_finally, in_a_slow_except, in_a_slow_exit]


def here(shape: Shape) -> int:
    """Return the line of a shape that is marked."""
    lines, first = inspect.getsourcelines(shape)
    return first + next(n for n, line in enumerate(lines) if "# HERE" in line)


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """Return a loop that is turned by hand, whose tasks end in the end."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    made: asyncio.AbstractEventLoop = importlib.import_module(request.param).new_event_loop()
    yield made
    STAY.clear()
    for _ in range(2):
        for task in asyncio.all_tasks(made):
            task.cancel()
        asyncio_.turn(made, 8)
    STAY.append(True)
    KEPT.clear()
    made.run_until_complete(made.shutdown_asyncgens())
    made.close()


def looked_at(loop: asyncio.AbstractEventLoop, shape: Shape, times: int = 1) -> tuple[Swallow, ...]:
    """Cancel a task of this shape; return what was seen."""
    task = loop.create_task(shape())
    KEPT.append(task)
    asyncio_.turn(loop, 6)
    probe = Probe([task])
    with watching(probe):
        for _ in range(times):
            task.cancel()
            asyncio_.turn(loop, 6)
    assert not task.done()
    return probe.told(task)


@pytest.mark.parametrize("shape", SWALLOWING)
def test_the_line_that_swallows(loop: asyncio.AbstractEventLoop, shape: Shape) -> None:
    (found,) = looked_at(loop, shape, times=2)
    assert found.frame.line == here(shape)
    assert found.frame.path == __file__
    assert (found.count, found.within) == (2, False)


@pytest.mark.parametrize("shape", CLEANING)
def test_the_line_that_cleans_up(loop: asyncio.AbstractEventLoop, shape: Shape) -> None:
    (found,) = looked_at(loop, shape)
    assert found.frame.line == here(shape)
    assert (found.count, found.within) == (1, True)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (plain, "except asyncio.CancelledError"),
        (later_clause, "except (OSError, asyncio.CancelledError) as error"),
        (several_lines, "except (...)"),
        (bare, "except"),
        (suppressed, "with contextlib.suppress(asyncio.CancelledError)"),
        (one_line, "with contextlib.suppress(asyncio.CancelledError)"),
        (by_a_stack, "async with contextlib.AsyncExitStack() as stack"),
        (in_a_slow_finally, "finally"),
    ],
)
def test_the_text_of_the_clause(loop: asyncio.AbstractEventLoop, shape: Shape, text: str) -> None:
    (found,) = looked_at(loop, shape)
    assert found.handler.text == text


def test_without_source(loop: asyncio.AbstractEventLoop) -> None:
    space: dict[str, Any] = {"asyncio": asyncio, "wait": wait, "STAY": STAY}
    text = inspect.getsource(plain)
    exec(compile(text, "<made up>", "exec"), space)  # noqa: S102 -- code that has no file
    (found,) = looked_at(loop, space["plain"])
    assert (found.frame.line, found.handler.text) == (5, "except")


LEFT_A_FINALLY = """\
async def left():
    while STAY:
        try:
            await wait()
        finally:
            print
            if STAY:
                continue
"""


@pytest.mark.filterwarnings("ignore:'continue' in a 'finally' block:SyntaxWarning")
def test_a_finally_that_is_left(loop: asyncio.AbstractEventLoop, tmp_path: Path) -> None:
    path = tmp_path / "left.py"
    path.write_text(LEFT_A_FINALLY)
    space: dict[str, Any] = {"wait": wait, "STAY": STAY}
    exec(compile(LEFT_A_FINALLY, str(path), "exec"), space)  # noqa: S102 -- it warns since 3.14
    (found,) = looked_at(loop, space["left"])
    assert (found.frame.line, found.handler.text, found.within) == (5, "finally", False)


def test_others_are_not_looked_at(loop: asyncio.AbstractEventLoop) -> None:
    other, task = loop.create_task(plain()), loop.create_task(suppressed())
    asyncio_.turn(loop, 3)
    probe = Probe([task])
    with watching(probe):
        other.cancel()
        task.cancel()
        asyncio_.turn(loop, 3)
    assert probe.told(other) == ()
    assert len(probe.told(task)) == 1


def test_nothing_is_kept(loop: asyncio.AbstractEventLoop) -> None:
    task = loop.create_task(plain())
    asyncio_.turn(loop, 3)
    probe = Probe([task])
    with watching(probe):
        task.cancel()
        asyncio_.turn(loop, 3)
    assert probe.last == {}
    frame = task.get_coro().cr_frame  # type: ignore[union-attr]
    assert frame is not None
    assert frame.f_trace is None
    assert sys.gettrace() is None


def test_the_trace_function_of_a_debugger_is_left_alone(loop: asyncio.AbstractEventLoop) -> None:
    """Where a trace function is needed and there is one already, nothing is said about the line."""
    events: list[str] = []

    def traced(frame: Any, event: str, arg: object) -> Any:
        events.append(event)
        return traced

    task = loop.create_task(plain())
    asyncio_.turn(loop, 3)
    probe = Probe([task])
    before = sys.gettrace()
    sys.settrace(traced)
    try:
        with watching(probe):
            task.cancel()
            asyncio_.turn(loop, 3)
        assert sys.gettrace() is traced
    finally:
        sys.settrace(before)
    assert "exception" in events
    assert len(probe.told(task)) == (sys.version_info >= (3, 12))


if sys.version_info >= (3, 12):
    monitoring = sys.monitoring

    @pytest.fixture
    def taken() -> Iterator[list[int]]:
        """Take every id that the probe could use."""
        free = [tool for tool in swallowing.TOOLS if monitoring.get_tool(tool) is None]
        for tool in free:
            monitoring.use_tool_id(tool, "somebody")
        yield free
        for tool in free:
            if monitoring.get_tool(tool) == "somebody":
                monitoring.free_tool_id(tool)

    def test_the_ids_of_tools_are_given_back(loop: asyncio.AbstractEventLoop) -> None:
        before = [monitoring.get_tool(tool) for tool in range(6)]
        looked_at(loop, plain)
        assert [monitoring.get_tool(tool) for tool in range(6)] == before

    def test_no_id_is_free(loop: asyncio.AbstractEventLoop, taken: list[int]) -> None:
        assert looked_at(loop, plain) == ()
        assert {monitoring.get_tool(tool) for tool in taken} <= {"somebody"}

    def test_another_id_is_free(loop: asyncio.AbstractEventLoop, taken: list[int]) -> None:
        if len(taken) < len(swallowing.TOOLS):
            pytest.skip("another tool has one of the ids")
        monitoring.free_tool_id(taken[-1])
        assert len(looked_at(loop, plain)) == 1
