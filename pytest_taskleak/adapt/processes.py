"""Which child processes were started here, and how does one stand, without anybody's being reaped?

A `Popen` object is often collected while its process lives on, so what is watched is a small object
of our own.  It is kept here until the process is known to be gone.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import sys
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Any

from pytest_taskleak import timing
from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.safely import is_a

TERMINATE = signal.SIGTERM
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
RUNNING, EXITED, GONE = "running", "exited", "gone"
"""How a child stands: it runs; it has ended and nobody has waited for it; it is no more."""

MOST_DROPPED = 64
MOST_PIPES = 256
ZOMBIES = ("zombie", "dead")
WAITID: Any = getattr(os, "waitid", None)
POSIX = os.name == "posix"

CHILDREN: dict[int, Child] = {}
"""pid -> the child that was started last with it and is not known to be gone."""
DROPPED: deque[Child] = deque(maxlen=MOST_DROPPED)
"""The last children that the garbage collector has killed, with their transport."""


PIPES: deque[tuple[int, int]] = deque(maxlen=MOST_PIPES)
"""(device, inode) of the pipes to the last children: they are theirs, not files that somebody left open."""


class Child:
    """A process that was started here.

    Parameters:
        pid: its number.
        identity: psutil's object for it, which knows when it was created; `None` where it is gone.
        process: the user's object for it, if there is one; held weakly.
        name: the word for it.
        command: the whole command line, as far as it is known.
        module: the module of its target.
        what: its program or its target.
    """

    def __init__(
        self,
        pid: int,
        identity: Any,
        *,
        process: Any = None,
        name: str = "",
        command: str = "",
        module: str = "",
        what: str = "",
    ) -> None:
        self.pid = pid
        self.parent = os.getpid()
        self.identity = identity
        self.process = reference(process)
        self.loop = reference(asyncio_.running_loop())
        self.name = name
        self.command = command
        self.module = module
        self.what = what
        self.pool: Any = nothing  # returns the pool that it works for
        self.watched = False  # the loop waits for it, and reaps it
        self.dropped = False  # the collector has taken its transport, which killed it
        self.going = False  # it was asked to end, after the verdict
        self.family: list[Any] = []
        self.exit: Any = None
        self.own = self.mine()

    # --- looking --------------------------------------------------------------------------------

    def mine(self) -> bool:
        """Tell whether the process is a child of this one; those of a fork server are not."""
        if WAITID is None or self.pid == self.parent:
            return POSIX
        try:
            WAITID(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except OSError:
            return False
        return True

    def status(self) -> str:
        """Return how it stands; forgets it once it is gone."""
        status = self.look()
        if status is GONE and CHILDREN.get(self.pid) is self:
            CHILDREN.pop(self.pid, None)
        return status

    def look(self) -> str:
        """Ask the user's object first, then the system; nothing is reaped."""
        if os.getpid() != self.parent:
            return GONE  # we are a fork of the process that started it
        process = self.process()
        if process is not None and ended(process):
            return GONE
        if self.pid == self.parent:
            return GONE if process is None else RUNNING  # the canary, which starts no process
        if not self.own or WAITID is None:
            return self.ask()
        try:
            self.exit = WAITID(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except OSError:
            return GONE  # somebody else has reaped it
        return RUNNING if self.exit is None else EXITED

    def ask(self) -> str:
        """Return how it stands where only psutil knows."""
        if self.identity is None or not runs(self.identity, zombies=True):
            return GONE
        if runs(self.identity):
            return RUNNING
        return EXITED if self.own else GONE

    def leaving(self) -> bool:
        """Tell whether it or one of its own children is still there, after it was asked to end."""
        if self.status() is EXITED:
            self.reap()
        return self.status() is not GONE or any(runs(x) for x in self.family)

    def wait(self, seconds: float) -> None:
        """Let time pass; return early when a running process ends."""
        opened = None
        if hasattr(os, "pidfd_open") and self.pid != self.parent and self.status() is RUNNING:
            with contextlib.suppress(OSError):
                opened = os.pidfd_open(self.pid)
        if opened is None:
            timing.pause(seconds)
            return
        try:
            poll = select.poll()
            poll.register(opened, select.POLLIN)
            poll.poll(seconds * 1000)
        finally:
            os.close(opened)

    # --- telling --------------------------------------------------------------------------------

    def ending(self) -> str:
        """Say how it has ended, as far as is known."""
        if self.exit is None:
            return "has exited"
        if self.exit.si_code == os.CLD_EXITED:
            return f"has exited with {self.exit.si_status}"
        try:
            return f"was killed by {signal.Signals(self.exit.si_status).name}"
        except ValueError:  # a real-time signal
            return f"was killed by signal {self.exit.si_status}"

    # --- ending ---------------------------------------------------------------------------------

    def send(self, number: int) -> None:
        """Send a signal to it and to what it has started; psutil spares a number that was used again."""
        if self.identity is None and self.own and self.status() is RUNNING:
            with contextlib.suppress(OSError):
                os.kill(self.pid, number)
        for process in (x for x in (self.identity, *self.family) if x is not None):
            with contextlib.suppress(Exception):  # gone meanwhile, or not ours to end
                process.send_signal(number)

    def reap(self, *, force: bool = False) -> None:
        """Take its exit status, if nobody else is about to; only ever after the verdict."""
        loop = self.loop()
        if self.watched and not force and loop is not None and not loop.is_closed():
            return
        process = self.process()
        if process is not None and poll(process):
            return
        if POSIX and self.own:
            with contextlib.suppress(OSError):
                os.waitpid(self.pid, os.WNOHANG)


def reference(thing: Any) -> Any:
    """Return a weak reference, or what stands for a dead one."""
    try:
        return weakref.ref(thing)
    except TypeError:  # `None`, or an object that refuses
        return nothing


def nothing() -> None:
    """Stand for a reference to something that is gone."""


def keep(child: Child) -> None:
    """Keep a child until it is known to be gone, and forget those that are."""
    for other in list(CHILDREN.values()):
        other.status()
    CHILDREN[child.pid] = child
    process = child.process()
    for fd in pipes_of(process) if process is not None else ():
        with contextlib.suppress(OSError):
            told = os.fstat(fd)
            PIPES.append((told.st_dev, told.st_ino))


def pipes_of(process: Any) -> Iterator[int]:
    """Yield the descriptors by which this process talks to a child."""
    known = getattr(process, "__dict__", {})
    for name in ("stdin", "stdout", "stderr"):
        stream = known.get(name)
        if is_a(stream, io.IOBase) and not stream.closed:
            yield stream.fileno()
    sentinel = getattr(known.get("_popen"), "sentinel", None)
    if is_a(sentinel, int):
        yield sentinel


def child_of(process: Any) -> Child | None:
    """Return what is kept for an object of `subprocess` or `multiprocessing`."""
    child = CHILDREN.get(pid_of(process) or 0)
    return child if child is not None and child.process() is process else None


def pid_of(process: Any) -> int | None:
    """Return the number of a started process, without running code of a subclass."""
    known = vars(process)
    popen = known.get("_popen")
    pid = known.get("pid") if popen is None else getattr(popen, "pid", None)
    return pid if is_a(pid, int) else None


def is_started_by_multiprocessing(process: Any) -> bool:
    """Tell whether an object is one of `multiprocessing`'s."""
    module = sys.modules.get("multiprocessing.process")
    return module is not None and is_a(process, module.BaseProcess)


def ended(process: Any) -> bool:
    """Tell whether an object knows that its process has ended; on Windows it asks."""
    if not POSIX:
        poll(process)
    known = getattr(process, "__dict__", {})
    if not is_started_by_multiprocessing(process):
        return known.get("returncode") is not None
    popen = known.get("_popen")
    return popen is None or getattr(popen, "returncode", None) is not None


def poll(process: Any) -> bool:
    """Let an object look after its process, which reaps it; tell whether the object could."""
    if is_started_by_multiprocessing(process):
        popen = vars(process).get("_popen")
        if popen is not None:
            popen.poll()
        return True
    subprocess = sys.modules.get("subprocess")
    if subprocess is None or not is_a(process, subprocess.Popen):
        return False
    subprocess.Popen.poll(process)
    return True


def runs(identity: Any, *, zombies: bool = False) -> bool:
    """Tell whether a process of psutil is there; a zombie is no running one."""
    try:
        return bool(identity.is_running()) and (zombies or identity.status() not in ZOMBIES)
    except Exception:  # noqa: BLE001 -- psutil's own errors: it is gone, or hidden from us
        return False


def target_of(process: Any) -> Any:
    """Return what an object of `multiprocessing` runs; it forgets that when it has started."""
    target = vars(process).get("_target")
    return target if target is not None else type(process).run


def is_daemon(process: Any) -> bool:
    """Tell whether the interpreter terminates a process of `multiprocessing` when it exits."""
    return bool((vars(process).get("_config") or {}).get("daemon"))


def dropped(transport: Any) -> None:
    """Note that the collector has taken a subprocess transport, which kills a running process."""
    child = CHILDREN.get(getattr(transport, "_pid", None) or 0)
    if child is not None and child.watched and child.look() is RUNNING:
        child.dropped = True
        DROPPED.append(child)
