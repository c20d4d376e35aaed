"""When does the fixture `tracked_task_group` end its group, and what does a test fail with?"""

from __future__ import annotations

import re
from typing import Any

import pytest

TESTS = '''
import sys

import pytest_asyncio

from pytest_taskleak import TrackedTaskGroup, fire_and_forget

SHARED = TrackedTaskGroup("shared", on_error=print)


async def boom(error=ValueError("boom")):
    raise error


async def stubborn():
    while True:
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            pass


# --- bodies: each is run under three runners -------------------------------------------------------


async def ends(group):
    """passed"""
    await group.create_task(asyncio.sleep(0))


async def left(group):
    """failed: 1 task of the test's group still ran at the end of the test ** left, born *test_it.py:*"""
    group.create_task(forever(), name="left")
    await asyncio.sleep(0)


async def background(group):
    """passed"""
    group.create_task(forever(), background=True)
    group.spawn(forever(), background=True)
    await asyncio.sleep(0)


async def fails_fast(group):
    """failed: a task of tracked_task_group failed ** ValueError: boom ** task 'bad' of tracked_task_group, born"""
    group.create_task(forever())
    group.create_task(boom(), name="bad")
    await forever()


async def spawned(group):
    """failed: a task of tracked_task_group failed ** ValueError: boom ** went on"""
    group.spawn(boom())
    await group.settle()
    print("went on")


async def counted(group):
    """passed"""
    group.spawn(boom(), name="bad")
    await group.settle()
    assert group.failures() == {"bad": 1}


async def awaited(group):
    """passed"""
    with pytest.raises(ValueError, match="boom"):
        await group.spawn(boom())


async def users_failure(group):
    """failed: KeyError: 'mine'"""
    group.create_task(forever(), name="left")
    group.spawn(boom())
    await asyncio.sleep(0)
    raise KeyError("mine")


BODIES = [ends, left, background, fails_fast, spawned, counted, awaited, users_failure]
each = pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)


@pytest.mark.asyncio
@each
async def test_asyncio(body, tracked_task_group):
    await body(tracked_task_group)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.anyio
@each
async def test_anyio(body, tracked_task_group):
    await body(tracked_task_group)


@each
def test_run(body, tracked_task_group):
    asyncio.run(body(tracked_task_group))


# --- one by one ------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_block(tracked_task_group):
    """passed"""
    with pytest.raises(ExceptionGroup):
        async with tracked_task_group as group:
            group.create_task(boom())
            group.create_task(forever())
    assert not len(tracked_task_group)


@pytest_asyncio.fixture
async def drained(tracked_task_group):
    tracked_task_group.create_task(forever(), name="worker")
    yield tracked_task_group
    assert len(tracked_task_group) == 1
    stats = await tracked_task_group.drain(deadline=0.01)
    assert (stats.total, stats.cancelled) == (1, 1)


@pytest.mark.asyncio
async def test_fixtures_may_still_drain(drained):
    """passed"""
    drained.create_task(asyncio.sleep(0))
    await asyncio.sleep(0)


@pytest.fixture
def careless(tracked_task_group):
    yield tracked_task_group


@pytest.mark.asyncio
async def test_left_by_a_fixture(careless):
    """error: worker, born *test_it.py:*"""
    careless.create_task(forever(), name="worker")
    careless.create_task(forever(), name="daemon", background=True)
    await asyncio.sleep(0)


@pytest.mark.asyncio
@pytest.mark.parametrize("number", range(2))
async def test_counters(number, tracked_task_group):
    """passed"""
    assert tracked_task_group.failures() == SHARED.failures() == {}
    for group in (SHARED.open(), tracked_task_group):
        group.spawn(boom(), name="bad")
        await group.settle()
        counted = group.failures()
        assert counted == {"bad": 1}
        counted["bad"] = 7
        assert group.failures() == {"bad": 1}


@fire_and_forget
async def notify(user):
    raise LookupError(user)


@pytest.mark.asyncio
async def test_fire_and_forget(tracked_task_group):
    """failed: LookupError: you"""
    await asyncio.gather(notify("me"), return_exceptions=True)
    notify("you")
    await tracked_task_group.settle()
    lines = {task.born.rpartition(":")[2] for task in tracked_task_group.history()}
    assert len(lines) == 2


@pytest.mark.asyncio
async def test_stubborn(tracked_task_group):
    """failed: stubborn"""
    tracked_task_group.create_task(stubborn(), background=True)
    await asyncio.sleep(0)


@pytest.mark.asyncio
@pytest.mark.no_taskleak
async def test_left_out(tracked_task_group):
    """passed"""
    tracked_task_group.create_task(forever(), name="left")
    await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_asked_for_late(request):
    """failed: late, born *test_it.py:*"""
    request.getfixturevalue("tracked_task_group").create_task(forever(), name="late")
    await asyncio.sleep(0)


def test_nothing_is_left():
    """passed"""
    from pytest_taskleak.adapt.task_groups import DECLARED
    from pytest_taskleak.groups import current

    assert not current.DEFAULTS
    found = [task for task in DECLARED if not task.done() and "stubborn" not in repr(task)]
    assert not found
'''


def expectations() -> dict[str, str]:
    """Return test -> what its docstring in the suite says of it."""
    told = re.findall(r'def (\w+)\([^)]*\):\n +"""(.*?)"""', TESTS)
    found: dict[str, str] = {}
    for name, text in told:
        if name.startswith("test_"):
            found[name] = text
        else:
            found.update({f"test_{runner}[{name}]": text for runner in ("asyncio", "anyio", "run")})
    return found


@pytest.mark.parametrize("watched", [False, True], ids=["alone", "watched"])
def test_what_a_test_fails_with(suite: Any, watched: bool) -> None:
    suite.plugins.append("anyio")
    suite.ini["asyncio_mode"] = "strict"
    done = suite(TESTS, "-p", "no:randomly", taskleak=watched, process=True)
    wrong = []
    for name, text in expectations().items():
        outcome, _, patterns = text.partition(": ")
        reports = done.of(name) or [*done.of(f"{name}[0]"), *done.of(f"{name}[1]")]
        failed = {report.when for report in reports if report.outcome == "failed"}
        if not reports or failed != {"passed": set(), "failed": {"call"}, "error": {"teardown"}}[outcome]:
            wrong.append(f"{name}: {failed or 'not failed, or not run'}")
        whole = "\n".join(r.text + "\n" + "\n".join(body for _, body in r.sections) for r in reports)
        wanted = [each for each in patterns.split(" ** ") if each]
        missing = [each for each in wanted if not re.search(re.escape(each).replace(r"\*", ".*"), whole)]
        wrong += [f"{name}: no {each!r} in\n{whole}" for each in missing]
    assert not wrong, "\n".join(wrong) + "\n" + done.out[-3000:]
    assert "never retrieved" not in done.out + done.err
    if watched:
        told = done.one("test_asyncio[left]", "call")
        assert "TL101" in told.text
        assert any("drain(deadline=...)" in body for _, body in told.sections)


def test_a_session_without_groups_does_not_load_them(suite: Any) -> None:
    suite("import sys\ndef test(): assert 'pytest_taskleak.groups.group' not in sys.modules", process=True)
    done = suite.run(process=True, taskleak=False)
    assert done.counts == "1 passed"
