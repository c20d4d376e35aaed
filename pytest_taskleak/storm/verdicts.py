"""What can be wrong after a shutdown, and how bad is it?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Scale = Literal["violation", "forced loss", "indeterminate", "advisory"]

SCALES: tuple[Scale, ...] = ("violation", "forced loss", "indeterminate", "advisory")
"""The scale, the worst first."""
ORACLES: dict[str, str] = {
    "T": "task left",
    "t": "timer left",
    "H": "thread left",
    "F": "descriptor left",
    "P": "process left",
    "D": "deadline exceeded",
    "B": "deadlock",
    "V": "livelock",
    "L": "accepted work lost",
    "2": "work done twice",
    "O": "order changed",
    "C": "used after close",
    "R": "left open",
    "U": "closed twice",
    "K": "lock or permit not given back",
    "I": "stop is not idempotent",
    "S": "restart is broken",
    "X": "cancellation swallowed or late",
    "E": "exception lost",
    "Q": "client left waiting",
    "W": "never awaited",
    "N": "reached outside",
}
"""Letter -> what it stands for."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong after one run.

    Parameters:
        oracle: a letter of `ORACLES`.
        text: what, for people.
        where: the await location of the task that mattered, by which causes are told apart.
        scale: how bad it is.
        task: what the task is called that it is about; empty where it is about none.
        runs: the qualified name of what that task runs.
    """

    oracle: str
    text: str
    where: str = ""
    scale: Scale = "violation"
    task: str = ""
    runs: str = ""

    @property
    def name(self) -> str:
        """What the letter stands for."""
        return ORACLES[self.oracle]


def fails(violations: Iterable[Violation]) -> bool:
    """Tell whether anything of what is wrong must fail a test."""
    return any(violation.scale == "violation" for violation in violations)
