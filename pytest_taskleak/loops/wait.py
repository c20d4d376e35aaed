"""Why must virtual time stand just now?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wait:
    """Something outside of the loops is at work.

    Parameters:
        cause: the sort of it, a key of `Stats.real_wait`.
        text: what it is, with names and places, as a clause: "thread 'Worker-1' runs at app.py:12  poll".
        limit: real seconds after which it is in vain; `None` if it ends by itself, as a grace does.
        pause: real seconds after which it is worth looking again.
    """

    cause: str
    text: str
    limit: float | None = None
    pause: float = 0.001
