"""Where does chance come from in Python, and how does it come again in each run of a simulated loop?

The global generator of `random` is seeded, since functions of it are held everywhere.  What the system gives
(`os.urandom`, and so `secrets`, `uuid4` and `SystemRandom`), and generators without a seed, draw on a
generator of the run where a simulated loop runs in this thread, and are what they are anywhere else.
"""

from __future__ import annotations

import functools
import os
import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from pytest_taskleak.adapt.asyncio_ import running_loop
from pytest_taskleak.adapt.hermetic import HermeticLoop

Way = tuple[Any, str, Any]
"""A module or class, a name, and what stands there meanwhile."""
ENOUGH = 128
"""Bits that seed a generator."""
NODE = 0x01_00_5E_00_53_AF
"""The network address in time-based identifiers: one of those kept for documentation, and no card's."""
UUID = "_node", "_last_timestamp", "_last_timestamp_v6", "_last_timestamp_v7", "_last_counter_v7"
"""What the module `uuid` remembers from one identifier to the next, by the version of Python."""


class Chance:
    """Chance that comes again."""

    def __init__(self) -> None:
        self._number = 0
        self._source: random.Random | None = None
        self._before: Any = None
        self._uuid: dict[str, Any] = {}
        self._anew: dict[str, Any] = {}

    def start(self) -> None:
        """Remember what is to be put back."""
        self._before = random.getstate()
        known = vars(uuid)
        self._uuid = {name: known[name] for name in UUID if name in known}
        self._anew = {name: 0 if "counter" in name else None for name in self._uuid}
        if "_node" in self._anew:
            self._anew["_node"] = NODE  # else it is asked of the system, by child processes

    def begin(self, number: int) -> None:
        """Begin anew, for a run.

        Parameters:
            number: what all chance of the run comes from.
        """
        self._number, self._source = number, None
        random.seed(number)
        vars(uuid).update(self._anew)

    def end(self) -> None:
        """Put the generator back to where it was, and what `uuid` remembers."""
        random.setstate(self._before)
        vars(uuid).update(self._uuid)

    def hold(self) -> Any:
        """Return how far the global generator has come: a process that is forked seeds it anew."""
        return random.getstate()

    def resume(self, state: Any) -> None:
        """Go on from there.

        Parameters:
            state: from `hold`.
        """
        random.setstate(state)

    def ways(self) -> Iterator[Way]:
        """Yield what is put where."""
        urandom = self._bytes(os.urandom)
        yield os, "urandom", urandom
        if hasattr(random, "_urandom"):  # else `secrets` is as the system gives it, and the report tells
            yield random, "_urandom", urandom
        if hasattr(os, "getrandom"):
            yield os, "getrandom", self._bytes(os.getrandom)
        yield random, "seed", self._seeding(random.seed)
        yield random.Random, "seed", self._method(random.Random.seed)
        if getattr(uuid, "_generate_time_safe", None) is not None:
            yield uuid, "_generate_time_safe", self._time_based(vars(uuid)["_generate_time_safe"])

    # --- what stands there --------------------------------------------------------------------------

    def _drawn(self) -> random.Random:
        """Return the generator of the run."""
        source = self._source
        if source is None:
            source = self._source = random.Random(self._number ^ 1)  # noqa: S311 -- it comes again
        return source

    def _bytes(self, real: Callable[..., bytes]) -> Callable[..., bytes]:
        @functools.wraps(real)
        def drawn(size: int, *args: int, **options: int) -> bytes:
            if simulated() and size > 0:
                return self._drawn().randbytes(size)
            return real(size, *args, **options)

        return drawn

    def _seeding(self, real: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(real)
        def seed(a: Any = None, *args: Any, **options: Any) -> None:
            real(self._drawn().getrandbits(ENOUGH) if a is None and simulated() else a, *args, **options)

        return seed

    def _method(self, real: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(real)
        def seed(own: random.Random, a: Any = None, *args: Any, **options: Any) -> None:
            if a is None and simulated():
                a = self._drawn().getrandbits(ENOUGH)
            real(own, a, *args, **options)

        return seed

    def _time_based(self, real: Callable[[], Any]) -> Callable[[], Any]:
        @functools.wraps(real)
        def generate() -> Any:
            if not simulated():
                return real()
            return uuid.uuid1(NODE, self._drawn().getrandbits(14)).bytes, None

        return generate


def simulated() -> bool:
    """Tell whether a simulated loop runs in this thread."""
    return isinstance(running_loop(), HermeticLoop)
