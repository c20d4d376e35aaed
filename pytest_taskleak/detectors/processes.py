"""Which child processes are left running, and which has nobody waited for?

A worker of a pool is told by its pool while that is open.  The helpers of `multiprocessing` itself
(resource tracker, fork server) are never seen: they are started in neither of the watched ways.
"""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, ClassVar

from pytest_taskleak.adapt import asyncio_, commands, futures, pools, processes, spawning
from pytest_taskleak.adapt.code import LOOP, kind_of
from pytest_taskleak.adapt.processes import EXITED, GONE, Child
from pytest_taskleak.detectors.base import Detector, Patch, Record, Recorder
from pytest_taskleak.model import Code, Resource

ASYNCIO = "(asyncio, "
FORK = "os.fork"
SERVER = "BaseManager._run_server"


class Processes(Detector):
    """Processes of `subprocess`, `multiprocessing`, asyncio and `os`."""

    kind = "process"
    plural = "processes"
    rank = 50
    collectable = True  # a manager that is only garbage ends its server, a Popen reaps
    codes: ClassVar = {
        "TL401": Code(
            title="process left running",
            meaning="A child process was running when its owner's scope had closed.",
            cause="A Popen that nobody stops, a failure before terminate(), a server without a shutdown.",
            cure="Stop the process and wait for it, in a finally block or a fixture's teardown.",
        ),
        "TL402": Code(
            title="process never reaped",
            meaning="A child process had ended, and nobody had waited for it: it stays as a zombie.",
            cause="kill() or terminate() without wait(); a process that ends by itself and is forgotten.",
            cure="Call wait(), or use the Popen object in a with statement.",
        ),
    }

    def __init__(self) -> None:
        self.starting = spawning.Starting()

    # --- births ---------------------------------------------------------------------------------

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        record = recorder(self.kind, mark=False)
        self.starting.watch()
        start = self.starting
        without = "processes"
        see = start.popen(functools.partial(opened, record))
        yield Patch(lambda: [subprocess.Popen], "__init__", see, without)
        see = start.multiprocessing(functools.partial(started, record))
        yield Patch(spawning.multiprocessing, "start", see, without, after=spawning.MULTIPROCESSING)
        see = start.fork(functools.partial(spawned, record, None))
        for name in spawning.FORKS:
            yield Patch(spawning.system(name), name, see, "forks")
        see = start.spawn(functools.partial(spawned, record))
        for name in spawning.SPAWNS:
            yield Patch(spawning.system(name), name, see, "spawned programs")
        see = start.uvloop(functools.partial(transported, record))
        for name in ("subprocess_exec", "subprocess_shell"):
            yield Patch(asyncio_.uvloops, name, see, "processes of uvloop", after=asyncio_.UVLOOP)
        see = spawning.collecting(processes.dropped)
        yield Patch(spawning.transports, "close", see, "processes that the collector kills")

    # --- looking --------------------------------------------------------------------------------

    def alive(self, thing: Any) -> bool:
        if thing.going:
            return bool(thing.leaving())
        if thing.dropped:
            return True
        pool = thing.pool()
        if pool is not None and pools.is_open(pool):
            return False
        return thing.status() is not GONE

    def loop(self, thing: Any) -> Any:
        return thing.loop()

    def wait(self, thing: Any, seconds: float) -> None:
        thing.wait(seconds)

    def keeper(self, thing: Any) -> Iterable[Any]:
        process = thing.process()
        return (thing,) if process is None else (process, thing)

    def helper(self, thing: Any) -> bool:
        process = thing.process()
        if process is None or not processes.is_started_by_multiprocessing(process):
            return False
        return processes.is_daemon(process) or thing.what == SERVER

    def blocks_exit(self, thing: Any) -> bool:
        process = thing.process()
        if process is None or not processes.is_started_by_multiprocessing(process):
            return False
        return not processes.is_daemon(process)

    # --- telling --------------------------------------------------------------------------------

    def describe(self, thing: Any) -> Resource:
        exited = not thing.dropped and thing.status() is EXITED
        state = "is still running"
        if exited:
            state = f"{thing.ending()} and was never waited for"
        elif thing.dropped:
            state = "was running when the garbage collector killed it"
        command = thing.command or (running_command(thing) if thing.name == FORK else "")
        return Resource(
            code="TL402" if exited else "TL401",
            name=thing.name or thing.what,
            what=thing.what,
            module=thing.module,
            state=f"{ASYNCIO if thing.watched else '('}pid {thing.pid}) {state}",
            role="target" if thing.module else "",
            outlives=not exited and not thing.dropped,
            details=(("runs", command),) if command else (),
        )

    def advice(self, resource: Resource) -> str:
        if resource.state.startswith(ASYNCIO):
            return "process.terminate() if it has to end, then await process.wait()"
        if resource.what == SERVER:
            return "use the manager in a with statement, or call its shutdown()"
        if resource.name == FORK:
            return "wait for the child: os.waitpid(pid, 0)"
        if resource.role:
            return "process.terminate() if it has to end, then process.join()"
        return "terminate() it if it has to end, then wait() for it; or use Popen in a with statement"

    # --- removing -------------------------------------------------------------------------------

    def remove(self, thing: Any) -> bool:
        if thing.pid == os.getpid():
            return False
        thing.family = descendants(thing)
        thing.going = True
        thing.send(processes.TERMINATE)
        return True

    def insist(self, thing: Any) -> bool:
        if thing.pid == os.getpid():
            return False
        thing.send(processes.KILL)
        if thing.status() is EXITED:
            thing.reap(force=True)
        return True

    @contextlib.contextmanager
    def plant(self) -> Iterator[Any]:
        process = Canary(["taskleak-canary"])
        child = processes.child_of(process)
        try:
            yield child
        finally:
            process.returncode = 0
            if child is not None:
                child.status()


class Canary(subprocess.Popen[bytes]):
    """Goes through the watched way and starts nothing: a process at every session's start costs too much."""

    def _execute_child(self, *args: Any, **options: Any) -> None:
        self.pid = os.getpid()


def opened(record: Record, process: Any, frame: FrameType) -> None:
    """Write down a process of `subprocess`, also one that a loop or trio has asked for."""
    maker = spawning.maker(frame)
    pid = processes.pid_of(process)
    if maker is not None and pid is not None and vars(process).get("returncode") is None:
        child = of_command(pid, commands.words(vars(process).get("args", ())), process)
        child.watched = kind_of(frame.f_code.co_filename) == LOOP
        processes.keep(child)
        record(child, maker)


def transported(record: Record, transport: Any, args: tuple[Any, ...], frame: FrameType) -> None:
    """Write down a process that uvloop has started by itself."""
    if spawning.maker(frame) is None:
        return
    child = of_command(transport.get_pid(), [x for arg in args for x in commands.words(arg)], transport)
    child.watched = True
    processes.keep(child)
    record(child, frame)


def started(record: Record, process: Any, pool: Any, target: Any, frame: FrameType) -> None:
    """Write down a process of `multiprocessing`; one of a pool that is not known is the pool's matter."""
    pid = processes.pid_of(process)
    module, what = futures.describe(target)
    if pid is None or pool is True:
        return
    name = str(vars(process).get("_name", ""))
    child = Child(pid, identity(pid), process=process, name=name, module=module, what=what)
    child.pool = processes.reference(pool)
    processes.keep(child)
    record(child, frame)


def spawned(record: Record, argv: Any, pid: int, frame: FrameType) -> None:
    """Write down a process that was forked or spawned without a library."""
    if argv is None:
        module, what = spawning.forking(frame)
        child = Child(pid, identity(pid), name=FORK, module=module, what=what)
    else:
        child = of_command(pid, commands.words(argv), None)
    processes.keep(child)
    record(child, frame)


def of_command(pid: int, words: list[str], process: Any) -> Child:
    """Return a child that runs a command."""
    name, what = commands.named(words)
    return Child(pid, identity(pid), process=process, name=name, what=what, command=commands.line(words))


def identity(pid: int) -> Any:
    """Return psutil's object for a process, which knows when it was created."""
    if pid == os.getpid():
        return None
    try:
        import psutil

        return psutil.Process(pid)
    except Exception:  # noqa: BLE001 -- gone already, or a test fakes the file system that psutil reads
        return None


def descendants(child: Child) -> list[Any]:
    """Return what a process has started in its turn; a search of milliseconds, only for leaks."""
    try:
        return list(child.identity.children(recursive=True))
    except Exception:  # noqa: BLE001 -- psutil's own errors, or no identity: it is gone
        return []


def running_command(child: Child) -> str:
    """Return the command line of a process that was forked, once it runs a program of its own."""
    try:
        import psutil

        found = child.identity.cmdline()
        return "" if found == psutil.Process().cmdline() else commands.line(found)
    except Exception:  # noqa: BLE001 -- as in `descendants`
        return ""


detector = Processes()
