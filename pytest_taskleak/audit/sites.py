"""Which plain values does the audit speak of: a site, what becomes of what it makes, and what was seen?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["task", "timer", "thread"]
How = Literal[
    "awaited", "group", "ended", "kept", "handed", "returned", "local", "overwritten", "weak", "dropped"
]
HOWS: tuple[How, ...] = (
    "awaited", "group", "ended", "kept", "handed", "returned", "local", "overwritten", "weak", "dropped",
)  # fmt: skip
"""What may become of a reference, the best first."""
LOST = frozenset({"local", "overwritten", "weak", "dropped"})
"""After these, nobody has the reference once the code has gone on."""
ENDS = ("completed", "error", "cancelled", "left", "unknown")
"""How a thing may have ended; `left` was still at work when its loop, its test or the session was over."""
MOST_TESTS = 3

End = tuple[int, int]
"""The line and the column (in bytes) at which a call ends in its file: no two calls share it."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of the reference to what was made.

    Parameters:
        how: the word for it.
        detail: where it is kept, or what drops it, as text.
        attribute: the attribute that holds it, if one does.
        late: the line of an `await` (of a thread: of `start()`) after which only it is kept, else 0.
    """

    how: How
    detail: str = ""
    attribute: str = ""
    late: int = 0

    @property
    def lost(self) -> bool:
        """Whether nobody has the reference any more."""
        return self.how in LOST

    def better(self, other: Fate) -> Fate:
        """Return the better of two."""
        return self if HOWS.index(self.how) <= HOWS.index(other.how) else other


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A call in the user's code that makes something.

    Parameters:
        path: the file, relative to the root of the project where it lies below it.
        line: the line on which the call begins.
        end: where the call ends.
        qualname: the function that it stands in.
        kind: what is made.
        call: what is called, as `asyncio.create_task`.
        named: whether it gets a name, `None` where that cannot be read.
        fate: what becomes of the reference.
        awaits: who awaits, joins or cancels what is kept in an attribute, as text; empty if nobody is seen.
        sure: whether it is known to make something.
        daemon: whether a thread is made as a daemon.
        ruff: whether ruff's RUF006 speaks of it.
        excuse: why it is meant, in the words of a comment.
        near: the task group that is at hand where a task is made outside of it.
        via: the helper of the user that is called, if this is a call of one.
        base: what that helper calls to make it.
        helper: what kind of helper the function of this call is, if it is one: `bare`, `keeps`, `returns`.
    """

    path: str
    line: int
    end: End
    qualname: str
    kind: Kind
    call: str
    named: bool | None
    fate: Fate
    awaits: str = ""
    sure: bool = True
    daemon: bool = False
    ruff: bool = False
    excuse: str = ""
    near: str = ""
    via: str = ""
    base: str = ""
    helper: str = ""

    @property
    def key(self) -> tuple[str, End]:
        """What tells it from any other."""
        return self.path, self.end

    @property
    def order(self) -> tuple[str, int, End, str]:
        """Where it stands in a list."""
        return self.path, self.line, self.end, self.call


@dataclass(frozen=True, slots=True)
class Problem:
    """What the audit could not read.

    Parameters:
        path: the file.
        line: the line, 0 where there is none.
        message: what is the matter.
    """

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}" if self.line else f"{self.path}: {self.message}"
