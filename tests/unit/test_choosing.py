"""Which class of cause does the evidence show, and which lines and words follow from it?"""

from __future__ import annotations

import asyncio
import re
import string
from collections.abc import Iterator
from types import CodeType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak.adapt.standing import Standing
from pytest_taskleak.diagnosis import Finality
from pytest_taskleak.explain import choosing, rows
from pytest_taskleak.explain.causes import CAUSES
from pytest_taskleak.explain.choosing import of_thread

if TYPE_CHECKING:
    from tests.unit.conftest import Spawn, Stage

GLOBAL: dict[str, Any] = {}
"""Global names of a program."""
LONG = 3600


@pytest.fixture(autouse=True)
def names() -> Iterator[None]:
    """Forget the global names of each program."""
    yield
    GLOBAL.clear()


async def wait(thing: Any, *_held: Any) -> None:
    await (thing.wait() if isinstance(thing, asyncio.Event) else thing)


async def locks(source: asyncio.Lock, target: asyncio.Lock) -> None:
    async with source:
        await asyncio.sleep(0)
        async with target:
            pass


async def nested(pool: asyncio.Semaphore) -> None:
    async with pool:
        await asyncio.sleep(0)
        async with pool:
            pass


async def get_once(jobs: asyncio.Queue[int]) -> None:
    await jobs.get()


async def consume(jobs: asyncio.Queue[int]) -> None:
    while True:
        await jobs.get()


async def fail() -> None:
    raise ValueError("the producer")


async def cancelled(jobs: asyncio.Event) -> None:
    try:
        await jobs.wait()
    finally:
        await jobs.wait()


# --- one primitive each -----------------------------------------------------------------------------


async def lock_twice() -> None:
    lock = asyncio.Lock()
    await locks(lock, lock)


async def lock_kept() -> None:
    lock = asyncio.Lock()
    await lock.acquire()
    async with lock:
        pass


async def event() -> None:
    ready = asyncio.Event()
    await ready.wait()


async def future() -> None:
    reply = asyncio.get_running_loop().create_future()
    await reply


async def condition() -> None:
    changed = asyncio.Condition()
    async with changed:
        await changed.wait()


async def barrier() -> None:
    party = asyncio.Barrier(2)
    await party.wait()


async def queue_empty() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue()
    await jobs.get()


async def queue_in_loop() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue()
    while True:
        await jobs.get()


async def queue_full() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue(1)
    await jobs.put(1)
    await jobs.put(2)


async def queue_join() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue()
    await jobs.put(1)
    await jobs.join()


async def one_permit() -> None:
    pool = asyncio.Semaphore(1)
    await nested(pool)


async def no_permit() -> None:
    pool = asyncio.Semaphore(0)
    async with pool:
        pass


async def spins() -> None:
    while True:
        await asyncio.sleep(0)


async def polls() -> None:
    while True:
        await asyncio.sleep(LONG)


async def sleeps() -> None:
    await asyncio.sleep(LONG)


async def ring() -> None:
    me = asyncio.current_task()

    async def other() -> None:
        assert me is not None
        await me

    await asyncio.create_task(other(), name="other")


@pytest.mark.parametrize(
    ("body", "slug", "name"),
    [
        (lock_twice, "reentry", "source|target"),
        (lock_kept, "lock-kept", "lock"),
        (event, "event-never-set", "ready"),
        (future, "dropped-future", "reply"),
        (condition, "notify-missing", "changed"),
        (barrier, "barrier-short", "party"),
        (queue_empty, "never-fed", "jobs"),
        (queue_in_loop, "no-sentinel", "jobs"),
        (queue_full, "queue-full", "jobs"),
        (queue_join, "never-drained", "jobs"),
        (one_permit, "nested-permit", "pool"),
        (no_permit, "lock-kept", "pool"),
        (spins, "busy-loop", "ready"),
        (polls, "no-stop", "sleep"),
        (sleeps, "abandoned", "sleep"),
        (ring, "await-cycle", "task"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_of_each_primitive(stage: Stage, spawn: Spawn, body: Any, slug: str, name: str) -> None:
    async def program() -> None:
        spawn(body(), "t")

    stage.leave(program)
    chosen = stage.look().cause("t")
    assert chosen.slug == slug
    assert re.fullmatch(name, chosen.name)
    assert chosen.race == ""


def test_never_started(stage: Stage) -> None:
    stage.tasks.append(stage.loop.create_task(event(), name="t"))
    assert stage.look().cause("t").slug == "never-started"


# --- several tasks -----------------------------------------------------------------------------------


def test_lock_order(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        one, two = asyncio.Lock(), asyncio.Lock()
        spawn(locks(one, two), "ab")
        spawn(locks(two, one), "ba")

    stage.leave(program)
    sight = stage.look()
    assert {sight.cause(name).slug for name in ("ab", "ba")} == {"lock-order"}
    assert {sight.cause(name).name for name in ("ab", "ba")} == {"target"}
    held = [text for label, text in sight.rows("ab") if label == "held by"]
    assert len(held) == 1
    assert re.fullmatch(r"task 'ba', taken at .*test_choosing\.py:\d+  locks", held[0])


def test_who_waits_for_a_deadlock_has_a_kept_lock(stage: Stage, spawn: Spawn) -> None:
    """It is on no cycle itself: its lock order is fine."""

    async def program() -> None:
        one, two = asyncio.Lock(), asyncio.Lock()
        spawn(locks(one, two), "ab")
        spawn(locks(two, one), "ba")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        spawn(locks(one, asyncio.Lock()), "third")

    stage.leave(program)
    assert stage.look().cause("third").slug == "lock-kept"


def test_nested_permits(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        pool = asyncio.Semaphore(2)
        for name in "xy":
            spawn(nested(pool), name)

    stage.leave(program)
    sight = stage.look()
    assert {sight.cause(name).slug for name in "xy"} == {"nested-permit"}
    assert [label for label, _ in sight.rows("x")] == ["semaphore", "held by", "held by"]


def test_a_permit_that_somebody_works_with(stage: Stage, spawn: Spawn) -> None:
    async def work(pool: asyncio.Semaphore) -> None:
        async with pool:
            await asyncio.sleep(LONG)

    async def program() -> None:
        pool = asyncio.Semaphore(2)
        spawn(work(pool), "works")
        spawn(nested(pool), "waits")

    stage.leave(program)
    assert stage.look().cause("waits").slug == "lock-kept"


def test_a_wait_under_the_lock_that_the_producer_needs(stage: Stage, spawn: Spawn) -> None:
    async def take(lock: asyncio.Lock, jobs: asyncio.Queue[int]) -> None:
        async with lock:
            await jobs.get()

    async def feed(lock: asyncio.Lock, jobs: asyncio.Queue[int]) -> None:
        async with lock:
            jobs.put_nowait(1)

    async def announce(lock: asyncio.Lock, ready: asyncio.Event) -> None:
        async with lock:
            ready.set()

    async def hear(lock: asyncio.Lock, ready: asyncio.Event) -> None:
        async with lock:
            await ready.wait()

    async def program() -> None:
        one, two = asyncio.Lock(), asyncio.Lock()
        jobs: asyncio.Queue[int] = asyncio.Queue()
        ready = asyncio.Event()
        spawn(take(one, jobs), "take")
        spawn(hear(two, ready), "hear")
        await asyncio.sleep(0)
        spawn(feed(one, jobs), "feed")
        spawn(announce(two, ready), "announce")

    stage.leave(program)
    sight = stage.look()
    assert {name: sight.cause(name).slug for name in ("take", "hear")} == dict.fromkeys(
        ("take", "hear"), "wait-in-lock"
    )
    needs = dict(sight.rows("take"))["needs"]
    assert re.fullmatch(r"put_nowait\(\) by task 'feed' at .*:\d+  .*feed, which is stuck itself", needs)


def test_the_producer_has_died(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        jobs: asyncio.Queue[int] = asyncio.Queue()
        consumer = spawn(consume(jobs), "consumer")
        outer = asyncio.gather(consumer, fail())
        spawn(get_once(jobs), "beside")
        await asyncio.wait([outer])
        outer.exception()

    stage.leave(program)
    sight = stage.look()
    assert sight.cause("consumer").slug == "producer-died"
    assert sight.cause("beside").slug == "never-fed"
    assert sight.cause("beside", died=True).slug == "producer-died"


def test_a_producer_that_died_is_no_matter_while_another_lives(stage: Stage, spawn: Spawn) -> None:
    """A timer will put something: the consumer waits for that, whoever has died."""

    async def program() -> None:
        jobs: asyncio.Queue[int] = asyncio.Queue()
        asyncio.get_running_loop().call_later(LONG, jobs.put_nowait, 1)
        spawn(consume(jobs), "consumer")

    stage.leave(program)
    assert stage.look().cause("consumer", died=True).slug == "no-sentinel"


def test_losers_of_a_gather(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        outer = asyncio.gather(spawn(sleeps(), "loser"), fail())
        await asyncio.wait([outer])
        outer.exception()

    stage.leave(program)
    chosen = stage.look().cause("loser")
    assert (chosen.slug, chosen.race) == ("losers-left", "asyncio.gather()")


async def first_of(spawn: Spawn) -> None:
    tasks = [spawn(sleeps(), "loser"), spawn(asyncio.sleep(0), "winner")]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def as_they_come(spawn: Spawn) -> None:
    for first in asyncio.as_completed([spawn(sleeps(), "loser"), spawn(asyncio.sleep(0), "winner")]):
        await first
        return


@pytest.mark.parametrize(
    ("program", "race"), [(first_of, "asyncio.wait()"), (as_they_come, "asyncio.as_completed()")]
)
def test_losers_of_other_races(stage: Stage, spawn: Spawn, program: Any, race: str) -> None:
    stage.leave(lambda: program(spawn))
    born: CodeType = program.__code__
    sight = stage.look()
    chosen = sight.cause("loser", birth=[born])
    assert (chosen.slug, chosen.race) == ("losers-left", race)
    assert sight.cause("loser").slug == "abandoned"


def test_a_race_is_weaker_than_what_the_primitive_shows(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        spawn(lock_twice(), "t")

    stage.leave(program)
    assert stage.look().cause("t", birth=[first_of.__code__]).slug == "reentry"


def test_a_parent_of_stuck_children(stage: Stage, spawn: Spawn) -> None:
    async def grouped() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(event(), name="child")

    async def awaited() -> None:
        await asyncio.gather(asyncio.create_task(event(), name="other child"))

    async def program() -> None:
        spawn(grouped(), "group")
        spawn(awaited(), "gather")
        spawn(wait(spawn(sleeps(), "sleeps")), "live parent")

    stage.leave(program)
    sight = stage.look()
    assert {name: sight.cause(name).slug for name in ("group", "gather", "child")} == {
        "group": "group-never-left",
        "gather": "group-never-left",
        "child": "event-never-set",
    }
    assert sight.cause("live parent").slug == "abandoned"


# --- what a task did with its cancellation ---------------------------------------------------------------


async def swallows() -> None:
    while True:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            if GLOBAL.get("over"):
                raise


def test_cancelled_and_cleaning_up(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        task = spawn(cancelled(asyncio.Event()), "t")
        await asyncio.sleep(0)
        task.cancel()

    stage.leave(program)
    assert stage.look().cause("t").slug == "closed-without-waiting"


def test_cancelled_and_swallowed(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        task = spawn(swallows(), "t")
        await asyncio.sleep(0)
        task.cancel()

    stage.leave(program)
    stage.ends.append(lambda: GLOBAL.update(over=True))
    assert stage.look().cause("t").slug == "swallowed-cancel"


def test_a_known_swallower(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        spawn(sleeps(), "t")

    stage.leave(program)
    sight = stage.look()
    assert choosing.of_task(sight.scene, sight.task("t"), "swallows").slug == "swallowed-cancel"


# --- threads ------------------------------------------------------------------------------------------------


def standing(kind: str, **more: Any) -> Standing:
    return Standing(kind, "what", name="jobs", **more)


@pytest.mark.parametrize(
    ("seen", "cycle", "slug"),
    [
        (standing("lock", holder=2), (1, 2), "thread-lock-order"),
        (standing("join", holder=2), (1, 2), "thread-join-cycle"),
        (standing("lock", holder=1), (1,), "thread-reentry"),
        (standing("future", among=(1,)), (1,), "thread-reentry"),
        (standing("socket"), (), "thread-blocked"),
        (standing("sleep"), (), "thread-blocked"),
        (standing("sleep", detail="its interval of 30 s"), (), "thread-timer"),
        (standing("process"), (), "thread-blocked"),
        (standing("unknown", detail="in system call read"), (), "thread-blocked"),
        (standing("running"), (), "thread-busy"),
        (standing("queue"), (), "thread-no-stop"),
        (standing("event"), (), "thread-no-stop"),
        (standing("unknown"), (), "thread-no-stop"),
    ],
)
def test_of_threads(seen: Standing, cycle: tuple[int, ...], slug: str) -> None:
    chosen = of_thread(seen, cycle=cycle, own=1)
    assert (chosen.slug, chosen.name) == (slug, "jobs")


def test_a_thread_without_a_name_for_it() -> None:
    assert of_thread(Standing("queue", "queue.Queue.get()")).name == "queue"


# --- rows ---------------------------------------------------------------------------------------------------


def test_rows_of_a_lock_that_nobody_has(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        spawn(lock_kept(), "t")

    stage.leave(program)
    assert stage.look().rows("t") == [
        ("held by", "nobody that is left: its holder ended without release(), or used a bare acquire()")
    ]


def test_rows_of_a_lock_taken_twice(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        spawn(lock_twice(), "t")

    stage.leave(program)
    ((label, text),) = stage.look().rows("t")
    assert label == "held by"
    assert text.startswith("this very task, taken at ")


def test_rows_tell_the_state_of_a_queue(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        spawn(queue_full(), "t")

    stage.leave(program)
    assert dict(stage.look().rows("t"))["queue"] == "full, size 1 of 1"


def test_rows_tell_the_wrapper(stage: Stage, spawn: Spawn) -> None:
    async def limited() -> None:
        async with asyncio.timeout(LONG):
            await asyncio.Event().wait()

    async def program() -> None:
        spawn(limited(), "t")

    stage.leave(program)
    assert ("inside", "timeout()") in stage.look().rows("t")


def test_rows_of_many_helpers_are_cut(stage: Stage, spawn: Spawn) -> None:
    async def helper(jobs: asyncio.Queue[int]) -> None:
        await asyncio.sleep(LONG)
        jobs.put_nowait(1)

    async def program() -> None:
        jobs: asyncio.Queue[int] = asyncio.Queue()
        spawn(get_once(jobs), "t")
        for number in range(7):
            spawn(helper(jobs), f"h{number}")

    stage.leave(program)
    labels = [label for label, _ in stage.look("t").rows("t")]
    assert labels == ["queue", *["needs"] * rows.MOST, ""]
    assert stage.look("t").rows("t")[-1] == ("", "... and 4 more")
    assert "stuck itself" not in str(stage.look("t").rows("t"))


def test_rows_are_cut_only_where_that_saves_lines() -> None:
    some = [("needs", str(number)) for number in range(rows.MOST)]
    assert rows.cut(some) == some
    assert rows.cut([*some, ("needs", "x")]) == [*some, ("", "... and 1 more")]


# --- the table ----------------------------------------------------------------------------------------------


def test_every_class_reads_well() -> None:
    """Sentences take only the words that are known, and end as rows end."""
    for slug, cause in CAUSES.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", slug)
        for text, allowed in ((cause.why, {"name", "race"}), (cause.cure, {"name"}), (cause.title, set())):
            fields = {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
            assert fields <= allowed, (slug, text)
            assert text, slug
            assert text.strip() == text
            assert not text.endswith(".")
            assert "\n" not in text
        assert cause.example


def test_every_class_that_is_chosen_is_in_the_table() -> None:
    chosen = set(choosing.BY_KIND.values())
    for function in (
        choosing.of_task,
        choosing.fate,
        choosing.at_primitive,
        choosing.at_lock,
        choosing.at_queue,
        choosing.of_thread,
    ):
        chosen |= {
            text
            for text in function.__code__.co_consts
            if isinstance(text, str) and re.fullmatch(r"[a-z]+(-[a-z]+)+", text)
        }
    words: set[Finality] = {"stuck", "deadlock", "closed"}
    assert set(choosing.HOPELESS) == words
    assert chosen - set(CAUSES) <= {"memory-stream"}
    assert set(CAUSES) - chosen <= {"abandoned", "reentry", "timer-left", "timer-rearms"}
