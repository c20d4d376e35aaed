"""What does a helper that starts tasks do where no loop runs, and where tasks begin at once?"""

from __future__ import annotations

import asyncio
import gc
import inspect
import warnings
from collections.abc import Iterator

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.conformance.contracts import Fault, told
from pytest_taskleak.conformance.spawner_conduct import fails_unseen
from pytest_taskleak.conformance.spawner_names import NAME, planted_call
from pytest_taskleak.conformance.spawner_trial import Spawner, Surroundings, close_unbegun
from pytest_taskleak.conformance.stage import end_of, turns

RISE = """\
try:
    loop = asyncio.get_running_loop()
except RuntimeError:
    coro.close()
    raise RuntimeError("{0}() needs a running event loop") from None"""


def fails_without_a_loop(trial: Spawner) -> Iterator[Fault]:
    """SP11: called where no loop runs, the helper says so at once and closes the coroutine."""
    if trial.around is not None or inspect.iscoroutinefunction(trial.spawn):
        return
    work = planted_call(1)
    made = error = None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            made = trial.spawn(work)
        except Exception as raised:  # noqa: BLE001 -- looked at below
            error = raised
        if isinstance(made, asyncio.Task) and asyncio_.can_turn(made.get_loop()):
            made.cancel()
            asyncio_.turn(made.get_loop(), 4)
        elif inspect.iscoroutine(made):
            made.close()
        text = "" if error is None else told(error)
        clear = isinstance(error, RuntimeError) and bool(str(error))
        error = None
        open_ = close_unbegun(work)
        gc.collect(1)
    if made is not None or not text:
        seen = "no error; the coroutine will not run"
    elif not clear:
        seen = f"raised {text}, which does not tell what is wrong"
    elif open_ or any("was never awaited" in str(one.message) for one in warned):
        seen = "the coroutine was not closed: Python warns that it was never awaited"
    else:
        return
    tried = f"{trial.called}(coro) in a plain function, no loop running"
    yield Fault(RISE.format(trial.called), (("tried", tried), ("seen", seen)))


def is_eager(trial: Spawner) -> Iterator[Fault]:
    """SP12: under an eager task factory a coroutine may have ended before the helper has its task."""
    if not has_eager_tasks(trial):
        return
    seen = ""

    async def scene(here: Surroundings) -> str:
        for moment in (True, False):
            child = here.child()
            spawned = await here.spawn(child.planted_moment() if moment else child.planted_step(), name=NAME)
            await turns()
            if "ended" not in child.log:
                return "the coroutine did not end"
            if asyncio.isfuture(spawned.made):
                end = await end_of(spawned.made, trial.deadline)
                if end.value not in (None, child.number):
                    return f"awaiting it {end.text(trial.deadline)}"
        return ""

    try:
        seen = trial.play(scene, eager=True).result
        if not seen and not trial.awaited and not trial.on_error and not fails_unseen(trial, eager=True):
            seen = "the error of a coroutine that fails at once is lost"
    except Exception as error:  # noqa: BLE001 -- told
        seen = f"raised {told(error)}"
    if seen:
        yield Fault(
            "register the task after it was made, and only then: if not task.done(): tasks.add(task)",
            (
                ("tried", f"loop.set_task_factory(asyncio.eager_task_factory), {trial.called}(coro)"),
                ("seen", seen),
            ),
        )


def has_eager_tasks(trial: Spawner) -> bool:
    """Tell whether the interpreter knows eager tasks, and the loops do; some of uvloop's do not."""
    if not hasattr(asyncio, "eager_task_factory"):
        return False

    async def scene(_: Surroundings) -> bool:
        work = planted_call(1)
        try:
            await asyncio.get_running_loop().create_task(work, name=NAME)
        except TypeError:
            work.close()
            return False
        return True

    return bool(trial.play(scene, eager=True).result)
