"""What does `no_leaks` hold a block to, inside of pytest's hooks and outside?"""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import pytest_taskleak
from pytest_taskleak import LeakError, LeakGroup, TaskleakWarning, no_leaks
from pytest_taskleak.model import Birth, Finding, Owner, Resource

pytestmark = pytest.mark.taskleak(mode="fail")


async def forever() -> None:
    """Wait on the loop's own timer: nothing is collected meanwhile."""
    await asyncio.sleep(3600)


async def spawn(name: str = "left") -> asyncio.Task[None]:
    """Leave a task behind."""
    return asyncio.create_task(forever(), name=name)


@pytest.mark.asyncio
async def test_async_with() -> None:
    tasks: list[asyncio.Task[None]] = []
    with pytest.raises(LeakGroup) as caught:
        async with no_leaks():
            tasks.append(await spawn())
    (error,) = caught.value.exceptions
    assert isinstance(error, LeakError)
    assert error.finding is not None
    assert (error.finding.code, error.finding.resource.name) == ("TL101", "left")
    assert error.finding.owner.kind == "block"
    assert str(caught.value).startswith("1 task outlived the block: 'left' [TL101]")
    assert "test_blocks.py" in str(error)
    assert tasks[0].cancelled(), "what was told is removed"


@pytest.mark.asyncio
async def test_tidy_async_with() -> None:
    async with no_leaks():
        task = await spawn()
        task.cancel()
    async with no_leaks():
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
        await asyncio.wait_for(asyncio.sleep(0), 5)
        await asyncio.to_thread(int)


@pytest.mark.asyncio
async def test_what_was_there_before_does_not_count() -> None:
    task = await spawn("before")
    async with no_leaks():
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()


@pytest.mark.asyncio
async def test_what_ends_by_itself_is_let_end() -> None:
    async def quick() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async with no_leaks():
        task = asyncio.create_task(quick())
    assert task.done()


@pytest.mark.asyncio
async def test_timers_and_threads() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="left")
    with pytest.raises(LeakGroup) as caught:
        async with no_leaks(grace=0):
            asyncio.get_running_loop().call_later(60, print)
            thread.start()
    stop.set()
    thread.join()
    found = [e.finding for e in caught.value.exceptions if isinstance(e, LeakError)]
    assert sorted(f.code for f in found) == ["TL201", "TL301"]


def test_with() -> None:
    async def main() -> None:
        await spawn()

    with pytest.raises(LeakGroup, match=r"1 task left behind by the block: 'left' \[TL102\]"), no_leaks():
        asyncio.run(main())
    with no_leaks():
        asyncio.run(asyncio.sleep(0))


def test_decorator() -> None:
    @no_leaks()
    def leaks(stop: threading.Event) -> threading.Thread:
        """Start a thread."""
        thread = threading.Thread(target=stop.wait, name="left", daemon=True)
        thread.start()
        return thread

    @no_leaks()
    def tidy(value: int) -> int:
        return value

    stop = threading.Event()
    assert leaks.__name__ == "leaks"
    assert leaks.__doc__ == "Start a thread."
    with pytest.raises(LeakGroup):
        leaks(stop)
    stop.set()
    assert tidy(3) == 3
    assert tidy(4) == 4


@pytest.mark.asyncio
async def test_decorator_of_coroutines() -> None:
    @no_leaks(detect="task")
    async def leaks(name: str) -> None:
        await spawn(name)

    @no_leaks()
    async def tidy() -> int:
        await asyncio.sleep(0)
        return 3

    for name in ("one", "two"):
        with pytest.raises(LeakGroup, match=name):
            await leaks(name)
    assert await tidy() == 3


@pytest.mark.asyncio
async def test_decorator_is_safe_for_calls_at_once() -> None:
    @no_leaks()
    async def tidy(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    assert list(await asyncio.gather(tidy(0.02), tidy(0.01))) == [0.02, 0.01]


@pytest.mark.parametrize(
    ("first", "second"), [(0.02, 0.01), (0.01, 0.02)], ids=["inner-first", "outer-first"]
)
@pytest.mark.asyncio
async def test_decorator_tells_calls_at_once_apart(first: float, second: float) -> None:
    @no_leaks()
    async def call(name: str, seconds: float, leak: bool) -> str:
        if leak:
            await spawn(name)
        await asyncio.sleep(seconds)
        return name

    results = await asyncio.gather(call("a", first, True), call("b", second, False), return_exceptions=True)
    assert isinstance(results[0], LeakGroup)
    assert results[1] == "b"


@pytest.mark.asyncio
async def test_nested() -> None:
    with pytest.raises(LeakGroup, match="'outer'"):
        async with no_leaks():
            await spawn("outer")
            with pytest.raises(LeakGroup, match="'inner'"):
                async with no_leaks():
                    await spawn("inner")


@pytest.fixture
def strict() -> Iterator[list[LeakGroup]]:
    """Hold a whole test to leave nothing behind."""
    seen: list[LeakGroup] = []
    try:
        with no_leaks(detect="thread"):
            yield seen
    except LeakGroup as group:
        seen.append(group)
    assert len(seen) == 1


@pytest.mark.taskleak(detect="task")
def test_block_around_a_test(strict: list[LeakGroup]) -> None:
    timer = threading.Timer(3600, print)
    timer.daemon = True
    timer.start()


@pytest.mark.asyncio
async def test_inner_tidy_outer_leaks() -> None:
    with pytest.raises(LeakGroup) as caught:
        async with no_leaks():
            async with no_leaks():
                await asyncio.sleep(0)
            await spawn("outer")
    assert len(caught.value.exceptions) == 1


@pytest.mark.asyncio
async def test_own_exception_stays() -> None:
    tasks: list[asyncio.Task[None]] = []
    with pytest.raises(ValueError, match="own") as caught:
        async with no_leaks():
            tasks.append(await spawn())
            raise ValueError("own")
    (note,) = caught.value.__notes__
    assert note.startswith("taskleak: 1 task outlived the block: 'left' [TL101]")
    assert tasks[0].cancelled()


@pytest.mark.asyncio
async def test_own_exception_without_leaks_has_no_notes() -> None:
    with pytest.raises(ValueError, match="own") as caught:
        async with no_leaks():
            raise ValueError("own")
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.asyncio
async def test_allow() -> None:
    async with no_leaks(allow="task:left"):
        allowed = await spawn()
    assert not allowed.done()
    allowed.cancel()
    with pytest.raises(LeakGroup, match="'other'"):
        async with no_leaks(allow=["task:left", "timer:*"]):
            await spawn("other")


@pytest.mark.asyncio
async def test_detect() -> None:
    async with no_leaks(detect=["timers", "thread"]):
        task = await spawn()
    task.cancel()


@pytest.mark.asyncio
async def test_warn() -> None:
    with pytest.warns(TaskleakWarning, match="1 task outlived the block: 'left'") as caught:
        async with no_leaks(mode="warn"):
            await spawn()
    assert len(caught) == 1


def test_warning_points_at_the_block() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with no_leaks(mode="warn"):
            asyncio.run(spawn())
    assert [w.filename for w in caught if w.category is TaskleakWarning] == [__file__]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "off"}, ["mode", "fail, warn", "'off'"]),
        ({"grace": -1}, ["grace", "-1"]),
        ({"grace": True}, ["grace", "True"]),
        ({"grace": "1"}, ["grace", "'1'"]),
        ({"grace": float("inf")}, ["grace", "inf"]),
        ({"grace": float("nan")}, ["grace", "nan"]),
        ({"detect": "taks"}, ["detect", "'taks'", "did you mean 'task'", "executor"]),
        ({"detect": ["task", "bus"]}, ["detect", "'bus'"]),
        ({"allow": "taks:x"}, ["'taks:x'", "did you mean 'task'"]),
        ({"allow": ["task:"]}, ["the pattern is empty"]),
        ({"allow": 3}, ["3"]),
        ({"detect": 3}, ["detect", "3"]),
    ],
)
def test_errors(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        no_leaks(**options)
    for word in words:
        assert word in str(caught.value)


def test_arguments_are_keywords() -> None:
    with pytest.raises(TypeError):
        no_leaks("task")  # type: ignore[call-arg]


def test_without_pytest_running() -> None:
    import subprocess
    import sys

    program = """
import asyncio, sys, threading
from pytest_taskleak import LeakGroup, no_leaks
before = asyncio.BaseEventLoop.create_task, threading.Thread.start

async def main():
    asyncio.create_task(asyncio.sleep(60), name="left")

try:
    with no_leaks():
        asyncio.run(main())
except LeakGroup as group:
    print(group)
assert (asyncio.BaseEventLoop.create_task, threading.Thread.start) == before
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 task left behind by the block: 'left' [TL102] (1 sub-exception)\n"


# --- what is raised ---------------------------------------------------------------------------------


FINDING = Finding(
    kind="task",
    resource=Resource(code="TL101", name="poller"),
    owner=Owner(kind="block", name="no_leaks"),
    birth=Birth(),
)


def group() -> LeakGroup:
    """Return a group of two."""
    return LeakGroup("two leaks", [LeakError("one", FINDING), LeakError("two", FINDING)])


def test_parts_of_a_group_are_groups() -> None:
    part = group().subgroup(lambda e: str(e) == "one")
    assert type(part) is LeakGroup
    assert [str(e) for e in part.exceptions] == ["one"]
    first, rest = group().split(lambda e: str(e) == "one")
    assert type(first) is LeakGroup
    assert type(rest) is LeakGroup
    assert [str(e) for e in rest.exceptions] == ["two"]


def test_except_star() -> None:
    seen: list[str] = []
    try:
        raise group()
    except* LeakError as caught:
        seen += [str(e) for e in caught.exceptions]
    assert seen == ["one", "two"]


def test_public_names() -> None:
    assert set(pytest_taskleak.__all__) >= {
        *(
            "no_leaks",
            "TaskLeak",
            "LeakError",
            "LeakGroup",
            "TaskleakWarning",
            "Finding",
            "Owner",
            "Birth",
            "Frame",
        )
    }
    for name in pytest_taskleak.__all__:
        assert getattr(pytest_taskleak, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pytest_taskleak.nothing  # noqa: B018
    assert pytest_taskleak.__version__


def test_error_types() -> None:
    assert issubclass(pytest_taskleak.TaskLeak, pytest.fail.Exception)
    assert issubclass(TaskleakWarning, pytest.PytestWarning)
    assert TaskleakWarning.__module__ == "pytest_taskleak"
    assert issubclass(LeakGroup, ExceptionGroup)
    assert LeakError("x", FINDING).finding is FINDING
