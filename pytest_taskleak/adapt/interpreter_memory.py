"""Does a thread wait for one of the interpreter's own locks, rather than for one of the program?

The lock of the interpreter lies in the static memory of the runtime, while every lock that a program makes is
on the heap or on a stack; so the address of a futex tells.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from functools import cache

MAPS = "/proc/self/maps"


NAMED = 5
"""Words of a line of the maps that has no name."""
MOST = 1 << 20
"""Bytes from the runtime's beginning in which its locks are: it takes 0.1 to 0.6 MiB on 3.11 to 3.15."""


@cache
def own_memory() -> range:
    """Return the addresses of the runtime's static memory, read once; empty where they are not known."""
    try:
        runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
        with open(MAPS, encoding="ascii", errors="replace") as lines:
            return around(runtime, lines)
    except (AttributeError, OSError, ValueError):  # no C API to look at, or another system
        return range(0)


def around(address: int, maps: Iterable[str]) -> range:
    """Return the addresses from one on that are in the same piece of static memory.

    What the file says of it is one area, the rest, which is zero at first, is another one right behind it.

    Parameters:
        address: where it begins.
        maps: the lines of `/proc/self/maps`.
    """
    end = 0
    for line in maps:
        words = line.split()
        low, _, high = words[0].partition("-")
        if int(low, 16) <= address < int(high, 16):
            end = int(high, 16)
        elif end and (int(low, 16) != end or len(words) > NAMED):
            break
        elif end:
            end = int(high, 16)
    return range(address, min(end, address + MOST))


def is_own(words: Sequence[bytes]) -> bool:
    """Tell whether a futex is the interpreter's.

    Parameters:
        words: what the system says of a thread that sleeps: the number of the call, the address ...
    """
    return len(words) > 1 and int(words[1], 16) in own_memory()
