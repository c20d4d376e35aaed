"""In which rhythm does work arrive: at once, evenly, ever faster, with a spike; and does it heed the service?

An open load arrives whether or not the service answers, also when it has been told to stop.  In a closed one,
each caller waits for its answer before it asks again.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Literal

from pytest_taskleak.storm.env import Env

__all__ = ["REFUSALS", "SHAPES", "Load", "Shape", "Submit", "arrivals", "churn", "closed", "opened"]

Shape = Literal["burst", "steady", "ramp", "spike"]
Submit = Callable[[Any, Env, int], Any]
Load = Callable[[Any, Env], Awaitable[None]]

SHAPES: dict[str, str] = {
    "burst": "all at once",
    "steady": "one after the other, evenly",
    "ramp": "ever faster, up to the rate",
    "spike": "evenly, and a third of them at once in the middle",
}
"""Shape -> what it is."""
COUNT = 14
RATE = 500.0
"""Items a virtual second: some arrive while others are at work, with the latencies that `env.dep` has."""
REFUSALS = (ConnectionError,)
"""What a service raises that does not take an item on."""


def arrivals(shape: str, count: int, rate: float) -> list[float]:
    """Return when each item arrives, in virtual seconds from the first one.

    Parameters:
        shape: one of `SHAPES`.
        count: how many items.
        rate: items a virtual second; of a ramp, at its end.

    Raises:
        ValueError: the shape is unknown, the rate is not above 0, or the count is below 0.
    """
    checked(shape, count, rate)
    if shape == "burst":
        return [0.0] * count
    if shape == "ramp":
        whole = 2 * count / rate
        return [whole * math.sqrt(number / count) for number in range(count)]
    even = [number / rate for number in range(count)]
    if shape == "spike":
        third = max(min(3, count), count // 3)
        first = (count - third) // 2
        even[first : first + third] = [even[first] if count else 0.0] * third
    return even


def opened(
    submit: Submit,
    count: int = COUNT,
    *,
    shape: str = "steady",
    rate: float = RATE,
    late: int = 0,
    gap: float = 0.5,
    refusals: Sequence[type[BaseException]] = REFUSALS,
) -> Load:
    """Return an open load: each item arrives at its time, in a caller of its own where that has to wait.

    Parameters:
        submit: hands in one item: takes the service, the environment and the item's number; if it returns an
            awaitable, that is what a caller waits for.
        count: how many items; fewer where a failure is shrunk.
        shape: one of `SHAPES`.
        rate: items a virtual second.
        late: so many more items come after the load is over, and the service's end does not stop them.
        gap: virtual seconds between those.
        refusals: exceptions with which the service refuses an item; others are told as lost.

    Raises:
        ValueError: a shape or a number is not allowed.
    """
    checked(shape, count + late, rate)
    checked(shape, count, gap)

    async def load(service: Any, env: Env) -> None:
        numbers = env.items(count + late)
        times = arrivals(shape, min(count, len(numbers)), rate)
        began = env.loop.time()
        for number, time in enumerate(times):
            await until(env, began + time)
            hand_in(submit, service, env, number, refusals)
        if len(numbers) > len(times):
            after = numbers[len(times) :]
            env.client(lately(submit, service, env, after, gap, refusals), name="late-arrivals")

    return load


def closed(
    submit: Submit,
    count: int = COUNT,
    *,
    callers: int = 3,
    pause: float = 0.0,
    within: float | None = None,
    refusals: Sequence[type[BaseException]] = REFUSALS,
) -> Load:
    """Return a closed load: so many callers, each of which waits for its answer before it asks again.

    Parameters:
        submit: see `opened`.
        count: how many items in all; fewer where a failure is shrunk.
        callers: how many callers.
        pause: virtual seconds for which a caller rests between two items.
        within: virtual seconds in which a caller must have come through; `None` for any time.
        refusals: exceptions with which the service refuses an item: its caller goes away.

    Raises:
        ValueError: there is no caller, or a number is below 0.
    """
    if callers < 1 or count < 0 or not pause >= 0:
        raise ValueError(
            f"closed(): needs a caller, and no number below 0 - got {callers=}, {count=}, {pause=}"
        )

    async def load(service: Any, env: Env) -> None:
        numbers = iter(env.items(count))
        asking = [
            env.client(ask(submit, service, env, numbers, pause, refusals), name=f"caller-{n}", within=within)
            for n in range(callers)
        ]
        await asyncio.wait(asking)

    return load


def churn(
    join: Callable[[Any, Env, int], Any],
    leave: Callable[[Any, Env, int], Any],
    count: int = 8,
    *,
    most: int = 3,
    rate: float = RATE,
) -> Load:
    """Return a load under which entities join and leave, so that at most some are there at a time.

    Parameters:
        join: lets an entity in: takes the service, the environment and the number of the entity.
        leave: lets it go; the last ones stay.
        count: how many entities in all.
        most: how many are there at a time.
        rate: entities a virtual second.

    Raises:
        ValueError: a number is not allowed.
    """
    checked("steady", count, rate)

    async def load(service: Any, env: Env) -> None:
        began = env.loop.time()
        for number in env.items(count):
            await until(env, began + number / rate)
            if number >= most:
                await waited(leave(service, env, number - most))
            await waited(join(service, env, number))

    return load


# --- how an item is handed in ----------------------------------------------------------------------------


def hand_in(
    submit: Submit, service: Any, env: Env, number: int, refusals: Sequence[type[BaseException]]
) -> None:
    """Hand in one item; whoever has to wait for its answer is a client of its own."""
    try:
        answer = submit(service, env, number)
    except tuple(refusals):
        return
    if inspect.isawaitable(answer):
        caller = env.client(answered(answer, refusals), name=f"caller-{number}")
        if inspect.iscoroutine(answer):  # it has not begun if its caller is cancelled before that has
            caller.add_done_callback(lambda _: answer.close())


async def answered(answer: Awaitable[Any], refusals: Sequence[type[BaseException]]) -> None:
    """Wait for an answer; a refusal is one."""
    try:
        await answer
    except tuple(refusals):
        return


async def ask(
    submit: Submit,
    service: Any,
    env: Env,
    numbers: Iterator[int],
    pause: float,
    refusals: Sequence[type[BaseException]],
) -> None:
    """Hand in one item after the other, until there are no more or one is refused."""
    for number in numbers:
        try:
            await waited(submit(service, env, number))
        except tuple(refusals):
            return
        if pause:
            await asyncio.sleep(pause)


async def lately(
    submit: Submit,
    service: Any,
    env: Env,
    numbers: Sequence[int],
    gap: float,
    refusals: Sequence[type[BaseException]],
) -> None:
    """Hand in items when the load is over."""
    for number in numbers:
        await asyncio.sleep(gap)
        hand_in(submit, service, env, number, refusals)


async def waited(value: Any) -> Any:
    """Return a value, or what it comes to."""
    return await value if inspect.isawaitable(value) else value


async def until(env: Env, when: float) -> None:
    """Wait until a virtual time, if it has not come yet."""
    ahead = when - env.loop.time()
    if ahead > 0:
        await asyncio.sleep(ahead)


def checked(shape: str, count: int, rate: float) -> None:
    """Refuse what is no shape, count or rate."""
    if shape not in SHAPES:
        raise ValueError(f"no shape of a load: {shape!r}; it is one of {', '.join(SHAPES)}")
    if count < 0:
        raise ValueError(f"a load has no fewer than 0 items - got {count!r}")
    if not (rate > 0 and math.isfinite(rate)):
        raise ValueError(f"a rate is a finite number of items a second, above 0 - got {rate!r}")
