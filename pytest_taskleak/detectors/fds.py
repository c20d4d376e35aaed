"""Which files and pipes are open at the end of a module that were not at its beginning?

Nothing is recorded when a file is opened: the table of descriptors is compared at the ends of modules.
Sockets, processes and loops have kinds of their own, which tell more; their descriptors do not count.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from typing import Any, ClassVar

from pytest_taskleak.adapt import processes
from pytest_taskleak.detectors.base import Detector
from pytest_taskleak.model import Code, Resource

TABLES = ("/proc/self/fd", "/dev/fd")
OF_LOOPS = (
    "anon_inode:[eventpoll]",
    "anon_inode:[eventfd]",
    "anon_inode:[pidfd]",
    "anon_inode:[signalfd]",
    "anon_inode:[io_uring]",
)

Table = dict[int, tuple[int, int, int]]
"""Descriptor -> (device, inode, mode)."""


class Descriptors(Detector):
    """Growth of the table of file descriptors."""

    kind = "fd"
    plural = "file descriptors"
    rank = 99
    measured = True
    codes: ClassVar = {
        "TL531": Code(
            title="file descriptors left open",
            meaning="At the end of a module more files or pipes were open than at its beginning.",
            cause="open(), os.open() or os.pipe() without a close; a log handler that is never closed.",
            cure="Use a with statement, or close it in the teardown of the fixture that opened it.",
            level="note",
        ),
    }

    def snapshot(self) -> Any:
        """Return (number of descriptors, those that a kind of its own does not explain)."""
        return count(), table()

    def grown(self, before: Any, now: Any) -> Iterable[Resource]:
        (number, old), (more, new) = before, now
        if more <= number:
            return
        for fd, what in sorted(new.items()):
            if old.get(fd) != what:
                name = None if what[:2] in processes.PIPES else name_of(fd, what[2])
                if name is not None:
                    yield left_open(fd, name, what[2])

    def alive(self, thing: Any) -> bool:
        return False  # nothing is born

    def describe(self, thing: Any) -> Resource:
        return left_open(-1, str(thing), 0)

    def advice(self, resource: Resource) -> str:
        return "use a with statement, or close it in the teardown of what opened it"


def count() -> int:
    """Return how many descriptors (on Windows: handles) this process has."""
    try:
        import psutil
    except ImportError:  # installed without what the plugin requires: the listing has to do
        return len(table())
    process = psutil.Process()
    return int(getattr(process, "num_handles" if sys.platform == "win32" else "num_fds")())


def table() -> Table:
    """Return the descriptors that are open, none where the system does not list them."""
    found: Table = {}
    for place in TABLES:
        try:
            names = os.listdir(place)
        except OSError:
            continue
        for name in names:
            try:
                told = os.fstat(int(name))
            except (OSError, ValueError):  # the descriptor of the listing itself
                continue
            if not stat.S_ISSOCK(told.st_mode):
                found[int(name)] = (told.st_dev, told.st_ino, told.st_mode)
        return found
    return found


def name_of(fd: int, mode: int) -> str | None:
    """Return what a descriptor stands for, `None` if it belongs to a loop or a process."""
    try:
        target = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        target = ""
    if target in OF_LOOPS:
        return None
    if stat.S_ISFIFO(mode):
        return None if "uvloop" in sys.modules else "a pipe"  # libuv keeps one of its own for the process
    return target or "a file"


def left_open(fd: int, name: str, mode: int) -> Resource:
    """Tell of one descriptor."""
    sort = "directory" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "descriptor"
    return Resource(
        code="TL531",
        name=name,
        what=os.path.basename(name),
        state="is still open",
        noun=f"open {sort}",
        details=(("fd", str(fd)),),
    )


detector = Descriptors()
