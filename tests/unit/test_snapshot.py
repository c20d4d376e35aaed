"""What does a snapshot tell, how far does it look, and does it run code of the user?"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_taskleak.adapt import debugger, running
from pytest_taskleak.diagnosis import Edge, Graph, Node
from pytest_taskleak.engine.sights import MOST_TASKS, names_only
from pytest_taskleak.engine.snapshot import explain_task, snapshot


@contextmanager
def elsewhere(main: Coroutine[Any, Any, None], ready: threading.Event) -> Iterator[asyncio.AbstractEventLoop]:
    """Run a coroutine on a loop in another thread until it is ready, and cancel it in the end."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(main, name="main")

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    thread = threading.Thread(target=run, name="elsewhere")
    thread.start()
    assert ready.wait(10)
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()


async def wait(event: asyncio.Event) -> None:
    await event.wait()


def test_everything_is_told() -> None:
    ready = threading.Event()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            event = asyncio.Event()
            group.create_task(wait(event), name="child")
            timer = asyncio.get_running_loop().call_later(60, print)
            asyncio.get_running_loop().call_soon(ready.set)
            try:
                await event.wait()
            finally:
                timer.cancel()

    with elsewhere(main(), ready):
        found = snapshot(ident=next(t.ident for t in threading.enumerate() if t.name == "elsewhere"))
    text = "\n".join(found.lines)
    assert found.culprit.startswith("waits for asyncio.Event.wait() `event` at ")
    assert text.startswith("  culprit   task 'main' (")
    assert "tasks of thread 'elsewhere' (2)" in text
    assert "  task 'child' (wait) waits for asyncio.Event.wait() `event` at " in text
    assert "timers of thread 'elsewhere' (1)\n  due in " in text
    assert "s  builtins.print\n" in text
    assert "thread 'elsewhere' turns a loop in " in text
    assert found.graph


def test_the_rest_is_counted() -> None:
    ready = threading.Event()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            event = asyncio.Event()
            for number in range(2 * MOST_TASKS):
                group.create_task(wait(event), name=f"one of many {number}")
            asyncio.get_running_loop().call_soon(ready.set)

    with elsewhere(main(), ready):
        lines = snapshot().lines
    assert f"tasks of thread 'elsewhere' ({2 * MOST_TASKS + 1})" in lines
    assert sum("waits for" in line and "one of many" in line for line in lines) < MOST_TASKS + 1
    assert f"  ... and {MOST_TASKS + 1} more" in lines


class Angry:
    """Raises whatever is asked of it, and remembers that it was."""

    asked: list[str]

    def __getattribute__(self, name: str) -> Any:
        object.__getattribute__(self, "asked").append(name)
        raise RuntimeError(name)

    def __repr__(self) -> str:
        object.__getattribute__(self, "asked").append("repr")
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        object.__getattribute__(self, "asked").append("eq")
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]


def test_no_code_of_the_user_runs() -> None:
    ready = threading.Event()
    asked: list[str] = []
    angry = object.__new__(Angry)
    object.__setattr__(angry, "asked", asked)

    async def main(held: Angry) -> None:
        local = [held, {"key": held}]
        event = asyncio.Event()
        timer = asyncio.get_running_loop().call_later(60, print, held)
        asyncio.get_running_loop().call_soon(ready.set)
        try:
            await event.wait()
        finally:
            timer.cancel()
            del local

    with elsewhere(main(angry), ready) as loop:
        lines = snapshot().lines
        (task,) = running.tasks_of(loop)
        text = explain_task(task)
    assert asked == []
    assert any("waits for asyncio.Event.wait() `event`" in line for line in lines)
    assert text.startswith("task 'main' (")


def test_a_task_is_explained() -> None:
    async def outer(lock: asyncio.Lock) -> None:
        async with lock:
            pass

    async def main() -> list[str]:
        lock = asyncio.Lock()
        async with lock:
            task = asyncio.create_task(outer(lock), name="outer")
            await asyncio.sleep(0)
            lines = explain_task(task).splitlines()
        await task
        return lines

    lines = asyncio.run(main())
    assert lines[0].startswith("task 'outer' (test_a_task_is_explained.<locals>.outer) waits for")
    assert "asyncio.Lock.acquire() `lock`" in lines[0]
    assert any(line.startswith("  at        ") for line in lines)
    assert any(line.startswith("  ends      ") for line in lines)


def test_a_task_that_is_done_or_runs() -> None:
    async def main() -> tuple[str, str]:
        task = asyncio.create_task(asyncio.sleep(0), name="quick")
        await task
        return explain_task(task), explain_task(asyncio.current_task())

    done, running_now = asyncio.run(main())
    assert done == "task 'quick' is done"
    assert running_now.splitlines()[0].endswith("runs just now")
    with pytest.raises(TypeError, match="got an object of str"):
        explain_task("task")


def test_circles_are_told_by_names() -> None:
    nodes = (Node(key="t1", kind="task", label="task 'a'"), Node(key="t2", kind="task", label="task 'b'"))
    edges = (
        Edge(source="t1", target="t2", label="awaits"),
        Edge(source="t2", target="t1", label="awaits"),
    )
    graph = Graph(nodes=nodes, edges=edges, cycles=(("t1", "t2"),))
    assert list(names_only(graph)) == [["task 'a' -> task 'b' -> task 'a'"]]


def test_tracers_of_debuggers_are_known() -> None:
    import bdb

    assert debugger.is_debuggers(bdb.Bdb().trace_dispatch)
    assert not debugger.is_debuggers(None)
    assert not debugger.is_debuggers(lambda *_: None)
    assert not debugger.is_active(sys._getframe()) or sys.gettrace() is not None


def test_a_waiting_task_is_woken_with_an_exception() -> None:
    class Ended(BaseException):
        pass

    async def child() -> None:
        await asyncio.Event().wait()

    async def main() -> str:
        task = asyncio.create_task(child())
        await asyncio.sleep(0)
        own = asyncio.current_task()

        def end() -> None:
            assert running.leaf_of(own) is task
            assert running.wake(running.leaf_of(own), Ended())

        asyncio.get_running_loop().call_soon(end)
        try:
            await task
        except Ended:
            return "ended"
        return "went on"

    assert asyncio.run(main()) == "ended"
