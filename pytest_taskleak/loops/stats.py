"""What did a fake clock do?"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Stats:
    """What a fake clock did so far.

    Parameters:
        jumps: how often time moved.
        moved: virtual seconds by which it moved.
        busy_turns: turns of a loop that never came to rest, through which time crept.
        real_wait: cause -> real seconds for which time stood: `thread`, `pool`, `child`, `loopback`, `peer`,
            `loop`, `hold`, `listener`.
        notes: what a user should know of this run, each once.
    """

    jumps: int = 0
    moved: float = 0.0
    busy_turns: int = 0
    real_wait: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def real_wait_ms(self) -> dict[str, float]:
        """Cause -> real milliseconds for which time stood."""
        return {cause: round(seconds * 1000, 1) for cause, seconds in self.real_wait.items()}

    def waited(self, cause: str, seconds: float) -> None:
        """Note that time stood for so many real seconds."""
        self.real_wait[cause] = self.real_wait.get(cause, 0.0) + seconds

    def note(self, text: str) -> None:
        """Note something that a user should know, once."""
        if text not in self.notes:
            self.notes.append(text)

    def __str__(self) -> str:
        jumps = f"{self.jumps} jump{'s' * (self.jumps != 1)} over {seconds(self.moved)}"
        if not self.real_wait:
            return jumps
        causes = sorted(self.real_wait_ms.items(), key=lambda each: -each[1])
        return f"{jumps}; waited in real time for {', '.join(f'{why} {ms:g} ms' for why, ms in causes)}"


def seconds(value: float) -> str:
    """Return seconds as people write them, to the nanosecond."""
    return f"{round(value, 9):,.9f}".rstrip("0").rstrip(".") + " s"
