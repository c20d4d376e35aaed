"""How is a command told?  No code of the user is run for that."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import Any

from pytest_taskleak.safely import is_a

SHORT = 40
LONG = 200


def words(args: Any) -> list[str]:
    """Return a command as strings; objects of the user's own classes are not asked."""
    return [*map(word, args)] if type(args) in (list, tuple) else word(args).split()


def word(arg: Any) -> str:
    """Return one argument of a command as a string."""
    if is_a(arg, str):
        return str.__str__(arg)
    if is_a(arg, bytes):
        return bytes.decode(arg, errors="replace")
    if is_a(arg, PurePath) and type(arg).__module__.startswith("pathlib"):
        return str(arg)
    return f"<{type(arg).__name__}>"


def shorten(text: str, most: int) -> str:
    """Return one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 3].rstrip() + "..."


def named(parts: list[str]) -> tuple[str, str]:
    """Return (short command, program) of a command; code after `-c` is not part of a name."""
    if not parts:
        return "", ""
    program = os.path.basename(parts[0]) or parts[0]
    rest = parts[1:]
    if "-c" in rest:
        rest = [*rest[: rest.index("-c") + 1], "..."]
    return shorten(" ".join([program, *rest]), SHORT), program


def line(parts: list[str]) -> str:
    """Return a whole command on one line."""
    return shorten(" ".join(parts), LONG)
