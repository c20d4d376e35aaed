"""Where was it made, and did the project take part?"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pytest_taskleak.adapt.awaiting import frame_at
from pytest_taskleak.adapt.code import STDLIB, distribution_of, line_of
from pytest_taskleak.model import Birth, Frame


def resolve(flat: tuple[Any, ...]) -> tuple[Frame, ...]:
    """Turn the code objects and offsets of a record into frames, the nearest call first."""
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return tuple(frame_at(code, line_of(code, lasti)) for code, lasti in pairs)


def birth_of(record: Any) -> Birth:
    """Return the readable birth of a record, or an empty one where none was written."""
    if record is None:
        return Birth()
    return Birth(frames=resolve(record[1]), ancestor=() if record[3] else resolve(record[2]))


def library_of(birth: Birth) -> str | None:
    """Return the distribution that made a thing all by itself, `None` if the project took part."""
    if birth.project or not birth.frames:
        return None
    return distribution_of(birth.frames[0].path)


def relative(frames: Iterable[Frame], root: str) -> tuple[Frame, ...]:
    """Return the frames with paths below the project's root made relative to it."""
    return tuple(replace(f, path=shorten(f.path, root)) for f in frames)


def shorten(path: str, root: str) -> str:
    """Return a path as a reader knows it: below the root, or from its package on."""
    full = os.path.abspath(path)
    for site in ("site-packages", "dist-packages"):
        _, found, rest = full.rpartition(os.sep + site + os.sep)
        if found:
            return rest.replace(os.sep, "/")
    for library in STDLIB:
        if full.startswith(library + os.sep):
            return full[len(library) + 1 :].replace(os.sep, "/")
    if root and full.startswith(root + os.sep):
        return full[len(root) + 1 :].replace(os.sep, "/")
    return path
