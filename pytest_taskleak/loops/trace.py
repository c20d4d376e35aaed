"""What did a loop run, in which order, so that two runs can be compared?

A record is a turn, a time, the number of a task and a label; records hold nothing that differs from process
to process.  Their digest is the same if, and but for chance only if, the same was run in the same order.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections import deque
from dataclasses import dataclass

WIDTH = 4
"""Numbers in a record."""
BLOCK = 256
"""Records that are digested at once."""
KEPT = 16_384
"""Records that are kept, for the place at which two runs part."""
BYTES = 8


@dataclass(frozen=True, slots=True)
class Record:
    """One callback that a loop has run.

    Parameters:
        number: how many came before it.
        turn: in which turn of those that ran anything.
        nanoseconds: virtual time since the trace began.
        task: which of the loop's tasks, by the order of their birth; -1 for a callback that is no task's.
        label: what it is: "wake worker", "timer Retry.again".
    """

    number: int
    turn: int
    nanoseconds: int
    task: int
    label: str

    def __str__(self) -> str:
        task = f" (task {self.task})" if self.task >= 0 else ""
        return f"turn {self.turn}, +{self.nanoseconds / 1e9:.9g} s: {self.label}{task}"


class Trace:
    """What a loop has run so far."""

    def __init__(self) -> None:
        self.labels: dict[str, int] = {}
        self.digests: list[bytes] = []
        self._numbers = hashlib.blake2b(digest_size=BYTES)
        self._block = array("q")
        self._kept: deque[array[int]] = deque(maxlen=KEPT // BLOCK)

    def __len__(self) -> int:
        return len(self.digests) * BLOCK + len(self._block) // WIDTH

    def label(self, text: str) -> int:
        """Return the number of a label: labels count from the first one that is met."""
        known = self.labels.get(text)
        if known is None:
            known = self.labels[text] = len(self.labels)
            self._numbers.update(text.encode("utf-8", "replace") + b"\0")
        return known

    def add(self, turn: int, nanoseconds: int, task: int, label: int) -> None:
        """Note a callback that is about to run.

        Parameters:
            turn: see `Record`.
            nanoseconds: see `Record`.
            task: see `Record`.
            label: what `label()` has returned.
        """
        block = self._block
        block.extend((turn, nanoseconds, task, label))
        if len(block) >= BLOCK * WIDTH:
            self._numbers.update(little(block))
            self.digests.append(self._numbers.copy().digest())
            self._kept.append(block)
            self._block = array("q")

    def digest(self) -> str:
        """Return what is the same for the same run, as 16 hexadecimal digits."""
        whole = self._numbers.copy()
        whole.update(little(self._block))
        return whole.hexdigest()

    def first_kept(self) -> int:
        """Return the number of the first record that is still kept."""
        return (len(self.digests) - len(self._kept)) * BLOCK

    def records(self, start: int = 0) -> list[Record]:
        """Return the records that are kept, from a number on."""
        texts = list(self.labels)
        numbers = [number for block in (*self._kept, self._block) for number in block]
        first = self.first_kept()
        found = []
        for place in range(max(0, start - first) * WIDTH, len(numbers), WIDTH):
            turn, nanoseconds, task, label = numbers[place : place + WIDTH]
            found.append(Record(first + place // WIDTH, turn, nanoseconds, task, texts[label]))
        return found


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where two runs part.

    Parameters:
        number: how many records are the same in both.
        one: what the one run did then; `None` if it had ended, or if that is not kept any more.
        other: what the other one did.
        before: the last records that both have.
    """

    number: int
    one: Record | None
    other: Record | None
    before: tuple[Record, ...] = ()

    def __str__(self) -> str:
        common = [f"  both  {record}" for record in self.before]
        if self.one is self.other is None:
            return f"the runs part within {BLOCK} records after record {self.number}, which are not kept"
        return "\n".join(
            [
                f"the runs part at record {self.number}:",
                *common,
                f"  one   {self.one or 'has ended'}",
                f"  other {self.other or 'has ended'}",
            ]
        )


def first_divergence(one: Trace, other: Trace, *, context: int = 3) -> Divergence | None:
    """Return where two runs part, `None` if they do not.

    Parameters:
        one: a trace.
        other: another one.
        context: how many of the records before that are told.
    """
    pairs = zip(one.digests, other.digests, strict=False)
    same = next((place for place, (mine, its) in enumerate(pairs) if mine != its), None)
    if same is None:
        same = min(len(one.digests), len(other.digests))
    start = same * BLOCK
    kept = max(one.first_kept(), other.first_kept())
    if start < kept and len(one.digests) > same and len(other.digests) > same:
        return Divergence(start, None, None)
    begin = max(start - context, kept)
    mine, its = one.records(begin), other.records(begin)
    for place in range(max(len(mine), len(its))):
        first = mine[place] if place < len(mine) else None
        second = its[place] if place < len(its) else None
        if first != second:
            before = tuple(mine[max(0, place - context) : place])
            return Divergence(begin + place, first, second, before)
    return None


def little(block: array[int]) -> bytes:
    """Return the bytes of numbers, the same on every machine."""
    if sys.byteorder == "little":
        return block.tobytes()
    swapped = array("q", block)
    swapped.byteswap()
    return swapped.tobytes()
