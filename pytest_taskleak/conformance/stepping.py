"""What happens when something is done at one of the suspensions of a call?"""

from __future__ import annotations

import types
from collections.abc import Callable, Generator
from typing import Any

At = Callable[[int], None]
"""Is told the number of each suspension, from 1, as it is reached."""


@types.coroutine
def stepped(call: Any, at: At) -> Generator[Any, Any, tuple[Any, int]]:
    """Await something, and tell at each of its suspensions.

    What is done by `loop.call_soon` then is done before the call goes on.

    Parameters:
        call: a coroutine, or anything else that can be awaited.
        at: is told of each suspension.
    """
    inner = call if hasattr(call, "send") else call.__await__()
    number = 0
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            if error is None:
                waited = inner.send(value) if hasattr(inner, "send") else next(inner)
            else:
                thrown, error = error, None
                waited = inner.throw(thrown)
                del thrown
        except StopIteration as end:
            return end.value, number
        number += 1
        at(number)
        try:
            value = yield waited
        except GeneratorExit:
            inner.close()
            raise
        except BaseException as raised:  # noqa: BLE001 -- handed on to the call
            error = raised


def only(number: int, act: Callable[[], object]) -> At:
    """Return what acts at one suspension.

    Parameters:
        number: which one, from 1.
        act: what is done.
    """

    def at(reached: int) -> None:
        if reached == number:
            act()

    return at


def spread(count: int, most: int) -> list[int]:
    """Return the numbers from 1 to `count`; evenly chosen ones if those are too many."""
    if count <= most:
        return list(range(1, count + 1))
    return sorted({1 + round(i * (count - 1) / (most - 1)) for i in range(most)})


async def fail() -> None:
    """Fail, so that a task group is aborted."""
    raise Aborted


class Aborted(Exception):
    """The error that aborts a task group."""
