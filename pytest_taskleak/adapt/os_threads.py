"""What does the operating system say of a thread: does it run, or in which system call does it sleep?

Linux only, from `/proc/self/task`; everywhere else, and where the kernel hides it, the answer is `None`.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
from typing import NamedTuple

from pytest_taskleak.adapt.frames import current_frames
from pytest_taskleak.adapt.interpreter_memory import is_own
from pytest_taskleak.safely import attribute, is_a

_X86_64 = {
    "accept": (43, 288),
    "connect": (42,),
    "epoll": (232, 281, 441),
    "fcntl": (72,),
    "flock": (73,),
    "futex": (202, 449),
    "pause": (34,),
    "poll": (7, 271),
    "read": (0,),
    "recv": (45, 47),
    "select": (23, 270),
    "send": (44, 46),
    "sigwait": (128,),
    "sleep": (35, 230),
    "wait": (61, 247),
    "write": (1,),
}
_GENERIC = {
    "accept": (202, 242),
    "connect": (203,),
    "epoll": (22, 441),
    "fcntl": (25,),
    "flock": (32,),
    "futex": (98, 449),
    "poll": (73,),
    "read": (63,),
    "recv": (207, 212),
    "select": (72,),
    "send": (206, 211),
    "sigwait": (137,),
    "sleep": (101, 115),
    "wait": (95, 260),
    "write": (64,),
}
_MACHINES = {"x86_64": _X86_64, "aarch64": _GENERIC, "riscv64": _GENERIC}
CALLS = {
    number: word for word, numbers in _MACHINES.get(platform.machine(), {}).items() for number in numbers
}
"""Number of a system call -> our word for it (Linux, `syscall_64.tbl` and `asm-generic/unistd.h`)."""
_NO_TIMEOUT = 0
_TIMEOUT_ARGUMENT = 4
"""Where `/proc/.../syscall` shows the timeout of a futex: the words before are the number, the address,
the operation and the value."""


class OsState(NamedTuple):
    """What the kernel says of a thread.

    Parameters:
        state: `R` runs or could, `S` sleeps, `D` waits for a device, `T` is stopped.
        call: the system call in which it sleeps, empty if that is not known.
        timed: the sleep ends by itself; known for a futex only.
    """

    state: str
    call: str = ""
    timed: bool = False

    @property
    def blocked(self) -> bool:
        """It sleeps, and not for the interpreter's own lock: that is waited for with a timeout, mostly."""
        return self.state in "SD" and bool(self.call) and not (self.call == "futex" and self.timed)


def native_id(ident: int) -> int | None:
    """Return the kernel's number of a thread of `threading`, `None` for any other."""
    thread = getattr(threading, "_active", {}).get(ident)
    number = None if thread is None else attribute(thread, "_native_id")
    return number if is_a(number, int) else None


def os_state(ident: int) -> OsState | None:
    """Return what the kernel says of a thread, `None` where it says nothing.

    Parameters:
        ident: the thread's ident in Python.
    """
    number = native_id(ident) if sys.platform == "linux" else None
    if number is None:
        return None
    try:
        with open(f"/proc/self/task/{number}/stat", "rb") as file:
            state = file.read().rpartition(b")")[2].split()[0].decode()
        with open(f"/proc/self/task/{number}/syscall", "rb") as file:
            words = file.read().split()
    except (OSError, IndexError, ValueError):
        return None
    if not words or not words[0].isdigit():
        return OsState(state)
    call = CALLS.get(int(words[0]), "")
    if call == "futex" and is_own(words):
        return OsState("R")  # for the interpreter: it goes on as soon as it may
    timed = (
        call == "futex"
        and len(words) > _TIMEOUT_ARGUMENT
        and int(words[_TIMEOUT_ARGUMENT], 16) != _NO_TIMEOUT
    )
    return OsState(state, call, timed)


def count() -> int:
    """Return how many threads the system knows of this process, those of C code included.

    Where that cannot be known, it is more than there can be.
    """
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return sys.maxsize


def unknown() -> bool:
    """Tell whether there are threads that run no Python code, or may be."""
    return count() > len(current_frames())
