"""What may be set of a fake clock, and what is allowed?"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

IO = ("grace", "freeze", "ignore")
DRIVERS = ("auto", "hooks", "step")
LEVELS = ("arrival", "wake")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a fake clock goes.

    Parameters:
        auto: time goes to the next timer by itself when nothing can run and nothing outside is at work.
        io: what an open connection to somebody outside of this process does: `grace` waits `io_grace` real
            seconds for an answer after each burst of traffic, `freeze` lets time stand as long as one is
            open, `ignore` never waits for it.
        io_grace: real seconds.
        hang_after: real seconds after which work outside that does not end is an error.
        threads: whether sleeps and timeouts of threads that begin under the clock are in virtual time too.
        wall: the date that `time.time()` and `datetime.now()` begin with; `None` leaves them alone.
        modules: packages whose names `monotonic`, `time`, `sleep` ... are those of the clock.
        lateness: seconds by which each timer comes late.
        start: seconds that the loop's clock shows at first; `None` goes on from what it shows.
        strict: waiting for an answer from outside is an error.
        seed: decides every order that asyncio leaves open; `None` keeps the order of the stock loop.
        level: which orders those are.
        driver: `hooks` leaves the loop's own turn alone, `step` replaces it; `auto` chooses.
    """

    auto: bool = True
    io: str = "grace"
    io_grace: float = 0.1
    hang_after: float = 5.0
    threads: bool = False
    wall: dt.datetime | None = None
    modules: tuple[str, ...] = ()
    lateness: float = 0.0
    start: float | None = None
    strict: bool = False
    seed: int | None = None
    level: str = "arrival"
    driver: str = "auto"

    @classmethod
    def of(cls, options: dict[str, Any], origin: str) -> Settings:
        """Return settings of checked options.

        Parameters:
            options: name -> value.
            origin: who says so, for the message.

        Raises:
            ValueError: a name is unknown or a value is not allowed; the message lists what is.
        """
        names = [field.name for field in fields(cls)]
        for name, value in options.items():
            if name not in names:
                raise ValueError(f"{origin}: there is no option {name!r}; there are {', '.join(names)}")
            wrong = complaint(name, value)
            if wrong:
                raise ValueError(f"{origin}: {name} must be {wrong} - got {value!r}")
        if "modules" in options:
            options = {**options, "modules": words(options["modules"])}
        return cls(**options)


def complaint(name: str, value: object) -> str:
    """Say what an option must be, if its value is not that; else empty."""
    if name in ("auto", "threads", "strict"):
        return "" if isinstance(value, bool) else "True or False"
    if name in ("io", "driver", "level"):
        allowed = {"io": IO, "driver": DRIVERS, "level": LEVELS}[name]
        return "" if value in allowed else f"one of {', '.join(allowed)}"
    if name == "seed":
        right = value is None or (type(value) is int and value >= 0)
        return "" if right else "a whole number, 0 or more, or None"
    if name == "wall":
        return "" if value is None or isinstance(value, dt.datetime) else "a datetime, or None"
    if name == "modules":
        return "" if words(value) is not None else "names of packages, as ['app']"
    if name == "start" and value is None:
        return ""
    limit = "more than 0" if name == "hang_after" else "0 or more"
    return "" if is_seconds(value, above=name == "hang_after") else f"seconds, {limit}"


def is_seconds(value: object, *, above: bool = False) -> bool:
    """Tell whether a value is a finite number of seconds, 0 or more, or more than 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return value > 0 if above else value >= 0


def words(value: Any) -> Any:
    """Return names as a tuple, `None` if that is not what the value holds."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, Iterable) or isinstance(given, bytes | dict):
        return None
    found = tuple(given)
    return found if all(isinstance(word, str) and word for word in found) else None
