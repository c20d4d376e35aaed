"""Rows 42, 44 and 45, around the service: do signals, type checkers and the next test find it in order?"""

from __future__ import annotations

import asyncio
import inspect
import json
import signal
import subprocess
import sys
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pytest_taskleak
from pytest_taskleak import DrainStats, TaskFailure, TaskLimitError, TrackedTaskGroup, fire_and_forget

if TYPE_CHECKING:
    from tests.conftest import Suite

METHODS = (
    *("__init__", "__aenter__", "__aexit__", "open", "create_task", "spawn", "gather", "schedule"),
    *("create_task_threadsafe", "component", "drain", "settle", "failures", "assert_failures", "health"),
    *("reset_failures", "tasks", "history", "tree"),
)
SERVER = Path(__file__).resolve().parent / "storing_server.py"


async def post_until_closed(port: int, events: range, acked: list[str], half_way: asyncio.Event) -> None:
    """Send events one after the other; note each that is acknowledged."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for event in events:
            writer.write(f"POST {event}\n".encode())
            await writer.drain()
            answer = (await reader.readline()).decode().split()
            if not answer:
                break
            acked.append(answer[1])
            if len(acked) >= 30:
                half_way.set()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no signals there")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_row_42_what_a_server_acknowledged_is_stored(name: str, tmp_path: Path) -> None:
    rows, acked = tmp_path / "rows", list[str]()
    command = [sys.executable, str(SERVER), str(rows)]

    async def load(process: subprocess.Popen[str], port: int) -> None:
        half_way = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for first in range(0, 100, 10):
                group.create_task(post_until_closed(port, range(first, first + 10), acked, half_way))
            await half_way.wait()
            process.send_signal(signal.Signals[name])

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            asyncio.run(load(process, int(process.stdout.readline())))
            out, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0
    stats = json.loads(out)
    assert (stats["cancelled"], stats["errors"], stats["stuck"]) == (0, 0, 0)
    stored = rows.read_text(encoding="ascii").split()
    assert len(acked) >= 30
    assert set(acked) <= set(stored)
    assert len(stored) == len(set(stored))


def untyped(function: Any) -> list[str]:
    """Return which parameters of a function have no type."""
    hints = typing.get_type_hints(function)
    wanted = [name for name in inspect.signature(function).parameters if name != "self"]
    return [name for name in [*wanted, "return"] if name not in hints]


def test_row_44_the_api_is_typed() -> None:
    """`tests/typing/groups.py` is what the type checkers read."""
    wanted = {name: untyped(getattr(TrackedTaskGroup, name)) for name in METHODS}
    assert {name: found for name, found in wanted.items() if found} == {}
    assert untyped(fire_and_forget) == []
    assert issubclass(TrackedTaskGroup, asyncio.TaskGroup)
    assert issubclass(TaskLimitError, RuntimeError)
    assert typing.get_type_hints(DrainStats)["stuck_tasks"] == tuple[str, ...]
    assert set(typing.get_type_hints(TaskFailure)) >= {"name", "exception", "born"}
    assert (Path(pytest_taskleak.__file__).parent / "py.typed").exists()


def test_row_44_exception_groups_are_told_leaf_by_leaf(suite: Suite) -> None:
    done = suite(
        """
        async def publish():
            inner = ExceptionGroup("inner", [KeyError("the second leaf")])
            raise ExceptionGroup("outer", [ValueError("the first leaf"), inner])

        async def test_order(tracked_task_group):
            tracked_task_group.spawn(publish(), name="publish")
            await asyncio.sleep(0)
        """
    )
    assert done.failed() == [("test_order", "call")] or done.failed() == [("test_order", "teardown")]
    assert "the first leaf" in done.out
    assert "the second leaf" in done.out


def test_row_45_the_next_test_begins_with_no_task(suite: Suite) -> None:
    done = suite(
        """
        @pytest.fixture
        async def service(tracked_task_group):
            for _ in range(3):
                tracked_task_group.create_task(forever())
            return tracked_task_group

        async def test_leaves(service):
            service.create_task(forever(), background=True)
            GATES.append(asyncio.create_task(forever()))
            assert len(service.tasks()) == 4

        async def test_next(tracked_task_group):
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert tracked_task_group.tasks() == ()
            assert all(task.done() for task in GATES if isinstance(task, asyncio.Task))
        """
    )
    assert {name for name, _ in done.failed()} == {"test_leaves"}
    assert {name: len(found) for name, found in done.told().items()} == {"test_leaves": 2}
    assert "taskleak: tasks that were left and are removed now: 4 cancelled" in done.out
