"""How does a test run something in a simulated loop, without a sweep?"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from pytest_taskleak.adapt.hermetic import START, HermeticLoop
from pytest_taskleak.storm.env import Env


def in_memory(main: Callable[[Env], Coroutine[Any, Any, Any]], seconds: float = 60.0) -> Any:
    """Return what a coroutine comes to, which must be within so many virtual seconds."""

    def refuse(what: str) -> NoReturn:
        raise AssertionError(what)

    loop = HermeticLoop(ties=lambda number: number, hashes=lambda number: number, refuse=refuse)
    try:
        task = loop.create_task(main(Env(0, loop)))
        why = loop.run(task, until=START + seconds, most=100_000)
        assert why == "done", why
        assert loop.told == []
        return task.result()
    finally:
        loop.close()
