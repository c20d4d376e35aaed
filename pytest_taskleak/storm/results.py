"""What has a sweep found?  Plain values, for reports and for other processes."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_taskleak.storm.verdicts import Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Failures that have one cause: the same check, at the same place; see `causes`.

    Parameters:
        oracle: the letter.
        name: what it stands for.
        text: what the first one says, with all who are in it.
        where: the place by which it is told apart; `*` for numbers in the name of a task.
        scale: how bad it is.
        count: how many runs have it.
        axis: the axis of the first one.
        point: its point.
        token: replays it.
        seed: its seed.
    """

    oracle: str
    name: str
    text: str
    where: str
    scale: Scale
    count: int
    axis: str
    point: int
    token: str
    seed: int


@dataclass(slots=True, kw_only=True)
class AxisResult:
    """One axis of a sweep.

    Parameters:
        axis: which.
        planned: runs that it asks for.
        ran: runs that were made.
        failing: runs with a violation.
        marks: point -> the letter of the first oracle; `.` where all was well; for a strip.
        worst_drain: virtual seconds of the slowest stop.
    """

    axis: str
    planned: int = 0
    ran: int = 0
    failing: int = 0
    marks: dict[int, str] = field(default_factory=dict)
    worst_drain: float = 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a timeline shows.

    Parameters:
        time: virtual seconds since the start.
        point: the callback by which it came; much may happen at one time.
        mark: `o` birth, `S` signal or stop, `c` cancel delivered, `x` end, `!` violation, `.` a step.
        text: what, for people.
    """

    time: float
    point: int
    mark: str
    text: str


@dataclass(slots=True, kw_only=True)
class Lane:
    """One task in the timeline of a run; the first lane is the storm itself.

    Parameters:
        name: the task's name.
        born: where it was made.
        events: in their order.
    """

    name: str
    born: str
    events: list[Event] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Drain:
    """How one task ended.

    Parameters:
        name: the task's name.
        seconds: virtual time from the trigger to its end; `None` if it did not end.
        outcome: `completed`, `cancelled`, `error` or `left`.
    """

    name: str
    seconds: float | None
    outcome: str


@dataclass(slots=True, kw_only=True)
class Story:
    """One failing run, told in full.

    Parameters:
        token: replays it.
        lanes: the timeline.
        drains: the table of ends.
        texts: the violations.
        log: what was logged.
    """

    token: str
    lanes: list[Lane] = field(default_factory=list)
    drains: list[Drain] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class StormReport:
    """A sweep.

    Parameters:
        name: of the service.
        points: of the baseline.
        runs: how many were made, baselines and self-checks included.
        seconds: real ones.
        seeds: that were tried.
        deadline: virtual seconds that a stop may take.
        grace: virtual seconds after it.
        deterministic: whether two baselines ran the same; `None` if that was not tried.
        divergence: where they parted, if they did.
        axes: each axis.
        causes: what was found, the worst first.
        story: the first failure in full.
        complete: whether every planned run was made.
        interrupted: whether it was stopped by hand.
        replay: the token, where only the run that it names was made.
        claim: what it is worth, where that is less than everything: a sample.
        left_out: scenarios that were not tried, though a preset could mean them -> why.
        not_begun: keys of scenarios for which there was no time, or no sense in it.
    """

    name: str
    points: int = 0
    runs: int = 0
    seconds: float = 0.0
    seeds: tuple[int, ...] = (0,)
    deadline: float = 10.0
    grace: float = 0.0
    deterministic: bool | None = None
    divergence: str = ""
    axes: list[AxisResult] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    story: Story | None = None
    complete: bool = True
    interrupted: bool = False
    replay: str = ""
    claim: str = ""
    left_out: dict[str, str] = field(default_factory=dict)
    not_begun: list[str] = field(default_factory=list)

    @property
    def failing(self) -> bool:
        """Whether anything was found that must fail the test."""
        return any(cause.scale == "violation" for cause in self.causes)
