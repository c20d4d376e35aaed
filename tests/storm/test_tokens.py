"""Does a token find its moment again: on each Python, after edits elsewhere, and as it was written before?"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_taskleak.engine.unwatched import unwatched
from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.causes import once
from pytest_taskleak.storm.observing import Step
from pytest_taskleak.storm.plan import Limits, Plan
from pytest_taskleak.storm.run import Outcome
from pytest_taskleak.storm.sweep import Sweep
from pytest_taskleak.storm.tokens import TokenError, plan_of, token_of

sys.path.insert(0, str(Path(__file__).resolve().parent))

from libraries.every import cases, installed
from reference import Service, load

AXES = ("stop", "cancel", "kill")
LIMITS = Limits(linger=0.05, live_on=1.0)


def found(outcome: Outcome) -> set[str]:
    """Return the causes of one run, each as letter and place."""
    return {f"{told.violation.oracle} {told.violation.where}" for told in once(outcome.violations)}


# --- on each Python ---------------------------------------------------------------------------------------

FIXED = [
    ("swallowed-cancel", "stop@client-0@Service.configured+8:woken~0", "B"),
    ("swallowed-cancel", "kill@worker-0@Pool.connection+9~0", "X"),
    ("swallowed-cancel-in-cleanup", "kill@worker-0@Service._handle+14~0", "X"),
    ("buffer-lost-in-gap", "stop@worker-0@Pool.connection+9~2", "L"),
    ("buffer-lost-on-cancel", "cancel@flusher@Service._flush_batch+12~0", "L"),
    ("closed-before-users", "fault,ping:6+", "T"),
    ("orphan-timer", "stop@worker-0@Service._store+3~1", "B"),
    ("stop-not-idempotent", "baseline", "I"),
    ("lock-held", "stop@worker-0@Pool.connection+9~2", "K"),
    ("lost-wakeup", "kill,before@worker-2@Pool.connection+9~0", "B"),
    ("spawned-by-cancel", "stop@client-0@Service.configured+8:woken~0", "T"),
    ("start-leaks", "cancel@root@Pool.open+3~1", "R"),
    ("coalescing-deadlock", "kill@client-0@Service.configured+8~0", "Q"),
    ("shield-forgotten", "stop@Service._store@ended:shield._inner_done_callback~2", "L"),
    ("unanswered", "stop2@client-2@Service.configured+4~0", "Q"),
]
"""A mistake of the reference service, a token from 3.11, and a letter of what it shows."""
OWN_STEPS = ("swallowed-cancel-in-cleanup", "shield-forgotten")
"""Mistakes with steps that the service has not that has none."""
OF_LIBRARIES = [
    ("aiojobs", "Scheduler.close()", "stop@root@running~0", "T"),
    ("aiojobs", "Scheduler.wait_and_close()", "kill,before@Closed.work@Closed.work+2~0", "L"),
    (
        "mode-streaming",
        "Service, closes in on_shutdown",
        "kill,before@coroutine_object_Closing.work@Closing.work+2~0",
        "W",
    ),
    ("async-lru", "the same with maxsize=2", "stop@load@ended~0", "T"),
    (
        "asyncio-pool",
        "AioPool.join()",
        "kill,before@BaseAioPool._wrap@BaseAioPool._wrap+3~0",
        "B",
    ),
]


@pytest.mark.parametrize(("bug", "token", "letter"), FIXED)
def test_a_token_of_one_python_holds_on_each(bug: str, token: str, letter: str) -> None:
    sweep = Sweep(maker(lambda env: Service(env, bug)), load, "Service", ())
    assert letter in {one.oracle for one in sweep.replay(token).violations}
    if bug not in OWN_STEPS:
        assert Sweep(maker(Service), load, "Service", ()).replay(token).violations == []


@pytest.mark.parametrize(("package", "what", "token", "letter"), OF_LIBRARIES)
def test_a_token_of_code_on_a_library_holds_too(package: str, what: str, token: str, letter: str) -> None:
    if not installed(package):
        pytest.skip(f"{package} is not installed")
    (case,) = [each for each in cases(package) if each.what == what]
    sweep = Sweep(maker(case.service), case.load, what, case.axes, (0,), case.limits)
    with unwatched():
        assert letter in {one.oracle for one in sweep.replay(token).violations}


# --- after edits elsewhere --------------------------------------------------------------------------------

SOURCE = """
import asyncio

# above

class Service:
    def __init__(self, env):
        self.db = env.dep("db")
        self.queue = asyncio.Queue()
        self.tasks = []

    async def start(self):
        # before
        self.tasks += [asyncio.create_task(self.work(), name=f"worker {n}") for n in range(2)]
        self.tasks.append(asyncio.create_task(self.flush()))

    async def stop(self):
        # in stop
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def submit(self, item):
        # in submit
        self.queue.put_nowait(item)

    async def work(self):
        while True:
            item = await self.queue.get()
            try:
                await self.db(item)
            except asyncio.CancelledError:
                asyncio.create_task(self.report(item))
                raise

    async def flush(self):
        await asyncio.sleep(0.001)
        while True:
            await asyncio.sleep(0.02)
            try:
                await asyncio.wait_for(self.queue.join(), 0.01)
            except TimeoutError:
                pass

    async def report(self, item):
        await asyncio.sleep(60)
"""
EDITS = {
    "a function above": ("# above", "def above():\n    return 1\n\n\nasync def more():\n    await above()"),
    "a line in another method": ("# in submit", "item = item\n        item = item"),
    "a line in stop": ("# in stop", "self.stopped = True"),
    "a task before, with a name": (
        "# before",
        'self.tasks.append(asyncio.create_task(asyncio.sleep(9), name="pinger"))',
    ),
    "tasks before, without a name": (
        "# before",
        "self.tasks += [asyncio.create_task(asyncio.sleep(9)) for _ in range(3)]",
    ),
}


async def hand_in(service: Any) -> None:
    for item in range(3):
        await service.submit(item)


def made_of(source: str, folder: Path) -> Sweep:
    path = folder / "service.py"
    names: dict[str, Any] = {"__name__": "service"}
    exec(compile(source, str(path), "exec"), names)  # noqa: S102 -- our own
    return Sweep(maker(names["Service"]), hand_in, "Service", AXES, limits=LIMITS)


@pytest.mark.parametrize("edit", EDITS)
def test_a_token_survives_an_edit_elsewhere(edit: str, tmp_path: Path) -> None:
    before = made_of(SOURCE, tmp_path)
    with unwatched():
        tokens = {token_of_run(before, plan): causes for plan, causes in failing(before)}
    assert len(tokens) > 20
    assert any(":woken~" in token for token in tokens)
    assert any("worker_0@" in token for token in tokens)
    assert all(shlex.quote(token.replace("~", "")) == token.replace("~", "") for token in tokens)
    assert any("stop@Service.flush@Service.flush+" in token for token in tokens)
    after = made_of(SOURCE.replace(*EDITS[edit]), tmp_path)
    with unwatched():
        assert {token: found(after.replay(token)) for token in tokens} == tokens


def failing(sweep: Sweep) -> list[tuple[Plan, set[str]]]:
    """Return each run of a sweep that shows something, and what."""
    runs: list[tuple[Plan, set[str]]] = []
    original: Callable[..., Outcome] = sweep.run

    class Noting(Sweep):
        __slots__ = ()

        def run(self, plan: Plan, observer: Any = None) -> Outcome:
            outcome = original(plan, observer)
            if outcome.violations and plan.axis != "baseline" and observer is None:
                runs.append((plan, found(outcome)))
            return outcome

    Noting(sweep.make, sweep.load, sweep.name, sweep.axes, limits=LIMITS).sweep()
    return runs


def token_of_run(sweep: Sweep, plan: Plan) -> str:
    return token_of(plan, sweep.baseline(plan.seed).steps)


# --- how it is read ---------------------------------------------------------------------------------------


def steps(*labels: tuple[str, int]) -> list[Step]:
    """Return steps of tasks that go on, with their labels and the numbers of their tasks."""
    seen: list[str] = []
    made = []
    for number, (label, task) in enumerate(labels):
        made.append(Step(label, seen.count(label), task, not label.endswith("ended"), float(number)))
        seen.append(label)
    return made


RUN = steps(
    ("root@running", 0),
    ("GET_/users/_id@Shop.get+3", 1),
    ("GET_/users/_id@Shop.get+3:woken", -1),
    ("root@f+1", 0),
    ("GET_/users/_id@ended", 1),
    ("GET_/users/_id@ended:TaskGroup._on_task_done", -1),
    ("w@Service.get.ask+3", 2),
    ("other@g+1", 3),
    ("w@Service.get.ask+4", 2),
)


@pytest.mark.parametrize(
    ("token", "point"),
    [
        ("stop@GET_/users/_id@Shop.get+3~0", 2),
        ("stop@GET /users/{id}@Shop.get+3~0", 2),
        ("stop@GET%20/users/%7Bid%7D@Shop.get+3~0", 2),
        ("stop@GET_/users/_id@Shop.get+3:woken~0", 3),
        ("stop@GET_/users/_id@ended:TaskGroup._on_task_done~0", 6),
        ("stop@GET_/users/_id@ended:gather._done_callback~0", 5),
        ("stop@w@Service.get.%3Clocals%3E.ask+3~0", 7),
        ("stop@w@Service.get.<locals>.ask+3~5", 7),
        ("stop@w@Service.get.ask+3:woken~0", 8),
        ("stop@4", 4),
    ],
)
def test_a_token_is_read_as_what_is_most_like_it(token: str, point: int) -> None:
    assert plan_of(token, lambda _seed, _items: RUN).point == point


@pytest.mark.parametrize("label", ["nobody@f+1", "nobody@ended:told", "nobody@f+1:woken", "other@g+1:woken"])
def test_what_does_not_come_any_more_is_refused(label: str) -> None:
    with pytest.raises(TokenError, match="no step of this service is"):
        plan_of(f"stop@{label}~0", lambda _seed, _items: RUN)


@pytest.mark.parametrize("axis", ["stop", "cancel", "pair"])
def test_each_point_has_a_token_of_its_own(axis: str) -> None:
    sweep = Sweep(maker(Service), load, "Service", (axis,))
    base = sweep.baseline(0)
    tokens = {}
    for point in range(1, len(base.steps)):
        token = token_of(Plan(axis, point), base.steps)
        tokens[token] = plan_of(token, lambda _seed, _items: base.steps).point
    assert list(tokens.values()) == list(range(1, len(base.steps)))


def test_a_dependency_may_have_any_name() -> None:
    for name in ("smtp", "GET /users/{id}", "a:b,c@d", "eu-west/db.1"):
        plan = Plan("fault", dependency=name, call=3, persistent=True)
        token = token_of(plan, [])
        assert " " not in token
        assert plan_of(token, lambda _seed, _items: []) == plan
    assert token_of(Plan("fault", dependency="eu-west/db.1", call=0), []) == "fault,eu-west/db.1:0"
