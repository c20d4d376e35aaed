"""Processes: seen however they are started, never reaped before they are told, gone afterwards."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import multiprocessing
import os
import pty
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from multiprocessing.connection import wait as wait_for
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pytest_taskleak.adapt import commands, processes
from pytest_taskleak.adapt.processes import EXITED, GONE, RUNNING, Child

if TYPE_CHECKING:
    from tests.detectors.conftest import Lab

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="the programs that are started here are those of posix"),
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
]
FORK: Any = multiprocessing.get_context("fork") if os.name == "posix" else None
Started = list["subprocess.Popen[bytes]"]


@pytest.fixture
def started() -> Iterator[Started]:
    """Takes what a test starts, and ends it."""
    found: Started = []
    yield found
    for process in found:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def ended(process: Any) -> None:
    """Wait until a process has ended, without reaping it."""
    os.waitid(os.P_PID, process if isinstance(process, int) else process.pid, os.WEXITED | os.WNOWAIT)


def is_there(pid: int) -> bool:
    """Tell whether a process runs or waits to be reaped."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


# --- looking --------------------------------------------------------------------------------------


def test_alive_until_waited_for(lab: Lab, started: Started) -> None:
    process = subprocess.Popen(["sleep", "60"])
    started.append(process)
    (child,) = lab.live("process")
    assert (child.pid, child.status()) == (process.pid, RUNNING)
    process.kill()
    ended(process)
    for _ in range(3):
        assert child.status() == EXITED, "looking does not reap"
        assert lab.live("process") == [child]
    assert process.wait() == -signal.SIGKILL
    assert lab.live("process") == []
    assert child.status() == GONE


def test_others_may_reap(lab: Lab, started: Started) -> None:
    process = subprocess.Popen(["true"])
    started.append(process)
    (child,) = lab.live("process")
    os.waitpid(process.pid, 0)
    assert process.returncode is None
    assert child.status() == GONE


def test_what_does_not_start_is_not_born(lab: Lab) -> None:
    with pytest.raises(FileNotFoundError):
        subprocess.Popen(["no-such-program"])
    with pytest.raises(FileNotFoundError):
        os.posix_spawn("no-such-program", ["x"], {})
    assert "process" not in lab.scope.births


def test_outlives_its_object(lab: Lab) -> None:
    class Server:
        def __init__(self) -> None:
            self.me = self
            self.process = subprocess.Popen(["sleep", "60"])

    def forget() -> None:
        Server()
        gc.collect()

    with pytest.warns(ResourceWarning, match="still running"):
        forget()
    (child,) = lab.live("process")
    assert processes.CHILDREN[child.pid] is child
    assert lab.detector("process").describe(child).name == "sleep 60"
    verdict = lab.watch.close(lab.scope)
    assert [f.code for f in verdict.findings] == ["TL401"]
    assert child.status() == GONE
    subprocess.Popen(["true"]).wait()  # lets `subprocess` forget what it kept


def test_what_is_kept_does_not_grow(lab: Lab) -> None:
    for _ in range(20):
        subprocess.run(["true"], check=True)
    mine = [child for child in processes.CHILDREN.values() if child.what == "true"]
    assert len(mine) <= 1


def test_number_used_again(lab: Lab, started: Started) -> None:
    """A child is known by psutil's identity where it is not our own, and a stranger is never killed."""
    first, second = subprocess.Popen(["sleep", "60"]), subprocess.Popen(["sleep", "60"])
    started += [first, second]
    before, stranger = lab.live("process")
    assert [processes.child_of(first), processes.child_of(second)] == [before, stranger]
    before.own = False
    assert before.status() == RUNNING
    first.kill()
    ended(first)
    assert before.status() == GONE, "somebody else's zombie is somebody else's matter"
    first.wait()
    again = Child(second.pid, before.identity)
    again.own = False
    assert again.status() == GONE
    again.send(signal.SIGKILL)
    assert stranger.status() == RUNNING


def test_waiting_ends_with_the_process(lab: Lab, started: Started) -> None:
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    started.append(process)
    (child,) = lab.live("process")
    assert process.stdin is not None
    threading.Timer(0.01, process.stdin.close).start()
    lab.detector("process").wait(child, 3600.0 if hasattr(os, "pidfd_open") else 0.5)
    assert child.status() == EXITED


def test_loop_that_ran(lab: Lab, loop: asyncio.AbstractEventLoop, started: Started) -> None:
    async def start() -> None:
        started.append(subprocess.Popen(["sleep", "60"]))

    loop.run_until_complete(start())
    (child,) = lab.live("process")
    assert lab.detector("process").loop(child) is loop
    assert not child.watched


# --- telling --------------------------------------------------------------------------------------


def test_describe(lab: Lab, started: Started) -> None:
    started.append(subprocess.Popen(["/bin/sh", "-c", "exit 3"]))
    started.append(subprocess.Popen(["sleep", "60", *"abcdefghijklmnopqrst"], stderr=subprocess.DEVNULL))
    started.append(subprocess.Popen("sleep 61", shell=True))  # noqa: S602
    ended(started[0])
    ended(started[1])
    detector = lab.detector("process")
    exited, wrong, shell = (detector.describe(child) for child in lab.live("process"))
    assert (exited.code, exited.name, exited.what) == ("TL402", "sh -c ...", "sh")
    assert exited.state == f"(pid {started[0].pid}) has exited with 3 and was never waited for"
    assert exited.details == (("runs", "/bin/sh -c exit 3"),)
    assert not exited.outlives
    assert len(wrong.name) <= 40
    assert wrong.name.endswith("...")
    assert (shell.code, shell.name, shell.what) == ("TL401", "sleep 61", "sleep")
    assert shell.state == f"(pid {started[2].pid}) is still running"
    assert shell.outlives
    assert "with statement" in detector.advice(shell)
    assert len(lab.watch.close(lab.scope).findings) == 3


def test_killed_by_a_signal(lab: Lab, started: Started) -> None:
    for number in (signal.SIGKILL, signal.SIGRTMIN + 1):
        process = subprocess.Popen(["sleep", "60"])
        started.append(process)
        process.send_signal(number)
        ended(process)
    texts = [lab.detector("process").describe(child).state for child in lab.live("process")]
    assert "was killed by SIGKILL and was never waited for" in texts[0]
    assert f"was killed by signal {signal.SIGRTMIN + 1} and" in texts[1]


def test_words_run_no_code_of_the_user() -> None:
    class Path(str):
        __slots__ = ()

        def __str__(self) -> str:
            raise AssertionError

        def __fspath__(self) -> str:
            raise AssertionError

    class Like:
        def __fspath__(self) -> str:
            raise AssertionError

    assert commands.words([Path("a"), b"b", PurePosixPath("c"), Like()]) == ["a", "b", "c", "<Like>"]
    assert commands.words("a b") == ["a", "b"]
    assert commands.words(iter("ab")) == ["<str_ascii_iterator>"]
    assert commands.named([]) == ("", "")
    assert commands.named(["/usr/bin/python", "-u", "-c", "import x\nx()"]) == ("python -u -c ...", "python")
    assert len(commands.line(["x" * 300])) == 200


# --- multiprocessing ------------------------------------------------------------------------------


@pytest.mark.parametrize("daemon", [True, False])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(lab: Lab, method: str, daemon: bool) -> None:
    context: Any = multiprocessing.get_context(method)
    process = context.Process(
        target=time.sleep, args=(60,), name="server", daemon=daemon
    )  # any child finds it
    process.start()
    detector = lab.detector("process")
    (child,) = lab.live("process")
    told = detector.describe(child)
    assert (told.code, told.name, told.module, told.what) == ("TL401", "server", "time", "sleep")
    assert told.role == "target"
    assert "join()" in detector.advice(told)
    assert detector.blocks_exit(child) is not daemon
    assert detector.helper(child) is daemon
    assert next(iter(detector.keeper(child))) is process
    assert [processes.child_of(process)] == [child]
    assert child.own is (method != "forkserver")
    process.kill()
    wait_for([process.sentinel])
    if method != "forkserver":
        ended(process)
        assert detector.describe(child).code == "TL402"
    process.join()
    assert lab.live("process") == []


def test_closed_object(lab: Lab) -> None:
    process = FORK.Process(target=int)
    process.start()
    child = processes.child_of(process)
    assert child is not None
    assert child.what == "int"
    process.join()
    process.close()
    assert child.status() == GONE


def test_one_birth_each(lab: Lab) -> None:
    """A start of `multiprocessing` forks, one of `subprocess` may spawn: neither is told twice."""
    process = FORK.Process(target=int)
    process.start()
    process.join()
    subprocess.run(["true"], check=True, close_fds=False)
    assert len(lab.scope.births["process"]) == 2


def test_manager(lab: Lab) -> None:
    with FORK.Manager() as manager:
        (child,) = lab.live("process")
        told = lab.detector("process").describe(child)
        assert told.what == "BaseManager._run_server"
        assert "shutdown()" in lab.detector("process").advice(told)
        assert lab.detector("process").helper(child)
        assert manager.list([1])[0] == 1
    assert lab.live("process") == []


# --- forks and spawned programs -------------------------------------------------------------------


def test_fork(lab: Lab) -> None:
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os._exit(10 * len(lab.live("process")) + len(lab.scope.births.get("process", ())))
    (child,) = lab.live("process")
    ended(pid)
    told = lab.detector("process").describe(child)
    assert (told.code, told.name, told.what) == ("TL402", "os.fork", "test_fork")
    assert "has exited with 0" in told.state, "the child writes nothing down"
    assert "waitpid" in lab.detector("process").advice(told)
    os.waitpid(pid, 0)
    os.close(ours)
    os.close(theirs)
    assert lab.live("process") == []


def test_fork_that_runs_a_program(lab: Lab) -> None:
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp("sleep", ["sleep", "62"])  # noqa: S606
    (child,) = lab.live("process")
    assert child.what == "test_fork_that_runs_a_program"
    while child.identity.cmdline() != ["sleep", "62"]:
        assert child.status() == RUNNING
    assert lab.detector("process").describe(child).details == (("runs", "sleep 62"),)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(fd)


def test_forks_of_forks_are_not_ours(lab: Lab) -> None:
    pid = os.fork()
    if pid == 0:
        inner = os.fork()
        if inner == 0:
            os._exit(0)
        os.waitpid(inner, 0)
        os._exit(len(lab.scope.births.get("process", ())))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(lab.scope.births["process"]) == 1


def test_warning_about_forks_names_the_caller(lab: Lab) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pid = os.fork()
        if pid == 0:
            os._exit(0)
    os.waitpid(pid, 0)
    stop.set()
    thread.join()
    assert {w.filename for w in caught} <= {__file__}
    assert len(caught) == (sys.version_info >= (3, 12))


def test_spawned_program(lab: Lab) -> None:
    pid = os.posix_spawnp("sleep", ["sleep", "60"], os.environ)
    (child,) = lab.live("process")
    assert (child.name, child.what) == ("sleep 60", "sleep")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert lab.live("process") == []


# --- asyncio --------------------------------------------------------------------------------------


async def start_sleep() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec("sleep", "60")


def test_asyncio(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    process = loop.run_until_complete(start_sleep())
    detector = lab.detector("process")
    (child,) = lab.live("process")
    told = detector.describe(child)
    assert told.state == f"(asyncio, pid {process.pid}) is still running"
    assert "await process.wait()" in detector.advice(told)
    assert detector.loop(child) is loop
    process.kill()
    loop.run_until_complete(process.wait())
    assert lab.live("process") == []


def test_asyncio_reaps_what_is_removed(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    process = loop.run_until_complete(start_sleep())
    assert [f.code for f in lab.watch.close(lab.scope).findings] == ["TL401"]
    assert loop.run_until_complete(process.wait()) == -signal.SIGTERM


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="a thread that waits for the process keeps its transport"
)
def test_killed_by_the_collector(lab: Lab) -> None:
    asyncio.run(start_sleep())
    with pytest.warns(ResourceWarning, match=r"unclosed transport|still running"):
        gc.collect()
    (child,) = lab.live("process")
    told = lab.detector("process").describe(child)
    assert told.code == "TL401"
    assert told.state.endswith("was running when the garbage collector killed it")
    while child.status() == RUNNING:
        assert lab.live("process") == [child]
    assert [f.code for f in lab.watch.close(lab.scope).findings] == ["TL401"]
    assert child.status() == GONE
    subprocess.Popen(["true"]).wait()


def test_closed_transport_is_no_loss(lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        process = await start_sleep()
        process._transport.close()  # type: ignore[attr-defined]
        await process.wait()

    loop.run_until_complete(main())
    gc.collect()
    assert lab.live("process") == []


# --- removing -------------------------------------------------------------------------------------


def test_descendants_go_too(lab: Lab, started: Started) -> None:
    shell = subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE)
    started.append(shell)
    assert shell.stdout is not None
    inner = int(shell.stdout.readline())
    assert [f.code for f in lab.watch.close(lab.scope).findings] == ["TL401"]
    assert not is_there(inner)
    assert shell.returncode == -signal.SIGTERM
    assert lab.watch.tainted() == []


def test_what_ignores_the_first_signal_is_killed(lab: Lab, started: Started) -> None:
    shell = subprocess.Popen(
        ["sh", "-c", "trap '' TERM; echo; while :; do sleep 60; done"], stdout=subprocess.PIPE
    )
    started.append(shell)
    assert shell.stdout is not None
    shell.stdout.readline()
    assert [f.code for f in lab.watch.close(lab.scope).findings] == ["TL401"]
    assert shell.returncode == -signal.SIGKILL


@pytest.mark.parametrize("dropped", [False, True])
def test_zombies_are_reaped_after_the_verdict(lab: Lab, started: Started, dropped: bool) -> None:
    pid = os.posix_spawnp("true", ["true"], os.environ) if dropped else None
    if pid is None:
        started.append(subprocess.Popen(["true"]))
        pid = started[0].pid
    ended(pid)
    assert [f.code for f in lab.watch.close(lab.scope).findings] == ["TL402"]
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    assert lab.watch.tainted() == []


def test_processes_of_multiprocessing_are_joined(lab: Lab) -> None:
    process = FORK.Process(target=time.sleep, args=(60,))
    process.start()
    assert [f.code for f in lab.watch.close(lab.scope).findings] == ["TL401"]
    assert process.exitcode == -signal.SIGTERM
    process.close()


def test_the_canary_is_nobody(lab: Lab) -> None:
    detector = lab.detector("process")
    with detector.plant() as child:
        assert child.pid == os.getpid()
        assert detector.remove(child) is False
        assert detector.insist(child) is False
        assert child.status() == RUNNING


def test_faults_of_ours_stay_ours(lab: Lab, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "Process", ctypes.c_int)  # as a faked file system would: it fails
    monkeypatch.setattr(commands, "named", None)
    started.append(subprocess.Popen(["true"]))
    assert lab.live("process") == []
    monkeypatch.undo()
    monkeypatch.setattr(psutil, "Process", None)
    started.append(subprocess.Popen(["sleep", "60"]))
    (child,) = lab.live("process")
    assert child.identity is None
    assert [f.code for f in lab.watch.close(lab.scope).findings] == ["TL401"]
    assert started[1].returncode == -signal.SIGTERM


def test_only_where_it_was_started(lab: Lab, started: Started, tmp_path: Path) -> None:
    """A fork that gets out of its test must not end its siblings."""
    started.append(subprocess.Popen(["sleep", "60"]))
    pid = os.fork()
    if pid == 0:
        seen = lab.live("process")
        os._exit(len(seen))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert [child.pid for child in lab.live("process")] == [started[0].pid]
