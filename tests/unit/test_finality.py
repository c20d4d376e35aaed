"""Can a task ever end, and what would end it?  Judged for programs that a reader can judge as well."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak.adapt import asyncio_
from pytest_taskleak.diagnosis import FINALITIES
from pytest_taskleak.explain import finality, timers
from pytest_taskleak.explain.finality import NEVER, OUTSIDE, Outlook
from pytest_taskleak.explain.proof import Outcome, Proof
from pytest_taskleak.explain.scene import Scene

if TYPE_CHECKING:
    from tests.unit.conftest import Spawn, Stage

GLOBAL: dict[str, Any] = {}
"""Global names of a program."""
LONG = 3600
TIMER = "when a timer fires that leads to it"
TIMEOUT = "when a timeout cancels it"
ALIVE = "only if something that is alive wakes it"


@pytest.fixture(autouse=True)
def names() -> Iterator[None]:
    """Forget the global names of each program."""
    yield
    GLOBAL.clear()


async def wait(thing: Any, *_held: Any) -> None:
    await (thing.wait() if isinstance(thing, asyncio.Event) else thing)


async def never() -> None:
    await asyncio.get_running_loop().create_future()


async def forever() -> None:
    while True:
        await asyncio.sleep(0)


async def under_timeout(thing: Any, *_held: Any, seconds: float = LONG) -> None:
    async with asyncio.timeout(seconds):
        await wait(thing)


async def collect(*things: Any) -> None:
    await asyncio.gather(*things)


async def locks(source: asyncio.Lock, target: asyncio.Lock) -> None:
    async with source:
        await asyncio.sleep(0)
        async with target:
            pass


def claims(verdict: Outcome, reason: str = "") -> Callable[..., dict[int, Proof]]:
    """Return a prover that says the same of each task."""
    return lambda tasks, **_: {id(task): Proof(verdict, reason=reason) for task in tasks}


# --- proven ---------------------------------------------------------------------------------------


def test_nobody_is_left(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        spawn(wait(asyncio.Event()), "event")
        spawn(never(), "future")
        spawn(asyncio.Queue().get(), "queue")

    stage.leave(program)
    sight = stage.look()
    assert set(sight.finalities.values()) == {"stuck"}
    assert sight.ends("event") == "never: nothing alive can wake it (proven)"


def test_who_holds_the_task_alone_cannot_wake_it(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        GLOBAL["task"] = spawn(wait(asyncio.Event()), "held")

    stage.leave(program)
    assert stage.look().finalities == {"held": "stuck"}


def test_a_global_can_wake_it(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        GLOBAL["event"] = asyncio.Event()
        spawn(wait(GLOBAL["event"]), "known")

    stage.leave(program)
    sight = stage.look()
    assert sight.finalities == {"known": "wakeable"}
    assert sight.ends("known") == ALIVE


def test_containers_that_do_not_count(stage: Stage, spawn: Spawn) -> None:
    values: dict[str, Any] = {}

    async def program() -> None:
        values["event"] = asyncio.Event()
        spawn(wait(values["event"]), "waits")

    stage.leave(program)
    assert stage.look().finalities == {"waits": "wakeable"}
    assert stage.look(own=[values]).finalities == {"waits": "stuck"}


@pytest.mark.taskleak(mode="off")
def test_a_closed_loop(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        spawn(asyncio.sleep(LONG), "sleeps")

    stage.leave(program)
    taken = [*stage.tasks]
    stage.loop.close()
    sight = stage.look()
    assert sight.finalities == {"sleeps": "closed"}
    assert sight.ends("sleeps") == "never: its loop is closed"
    for task in taken:
        asyncio_.lost_sight(task)  # it can never end
    stage.tasks.clear()


# --- timers ---------------------------------------------------------------------------------------


def test_an_event_under_a_timeout(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        spawn(under_timeout(asyncio.Event()), "limited")

    stage.leave(program)
    sight = stage.look()
    assert sight.finalities == {"limited": "outside"}
    assert sight.ends("limited") == TIMEOUT


def test_a_wait_for(stage: Stage, spawn: Spawn) -> None:
    async def limited() -> None:
        await asyncio.wait_for(asyncio.Event().wait(), LONG)

    async def program() -> None:
        spawn(limited(), "limited")

    stage.leave(program)
    assert set(stage.look().finalities.values()) == {"outside"}


def test_a_disarmed_timeout_helps_nobody(stage: Stage, spawn: Spawn) -> None:
    async def unlimited() -> None:
        async with asyncio.timeout(LONG) as limit:
            limit.reschedule(None)
            await asyncio.Event().wait()

    async def program() -> None:
        spawn(unlimited(), "unlimited")

    stage.leave(program)
    assert stage.look().finalities == {"unlimited": "stuck"}


def test_what_a_timed_out_task_will_do_can_wake_others(stage: Stage, spawn: Spawn) -> None:
    """The `except` of a task that its timeout will cancel sets the event of another one."""

    async def impatient(other: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(LONG):
                await asyncio.Event().wait()
        except TimeoutError:
            other.set()

    async def program() -> None:
        event = asyncio.Event()
        spawn(impatient(event), "impatient")
        spawn(wait(event), "patient")
        spawn(wait(asyncio.Event()), "alone")

    stage.leave(program)
    sight = stage.look()
    assert sight.finalities == {"impatient": "outside", "patient": "wakeable", "alone": "stuck"}
    assert ("asyncio.Event `thing`", "needs set()", "impatient") in {
        (source.partition(" #")[0], label, target) for source, label, target in sight.edges
    }


def test_the_same_from_the_other_side(stage: Stage, spawn: Spawn) -> None:
    """Only the patient one is told of; the timer is that of a task beside."""

    async def program() -> None:
        event = asyncio.Event()
        spawn(under_timeout(asyncio.Event(), event), "impatient")
        spawn(wait(event), "patient")

    stage.leave(program)
    assert stage.look("patient").finalities == {"patient": "wakeable"}


def test_a_timer_sets_the_event(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(LONG, event.set)
        spawn(wait(event), "patient")

    stage.leave(program)
    sight = stage.look()
    assert sight.finalities == {"patient": "outside"}
    assert sight.ends("patient") == TIMER


def test_a_timer_sets_it_by_way_of_a_closure(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        event = asyncio.Event()
        holder = {"deep": [event]}

        def fire() -> None:
            holder["deep"][0].set()

        asyncio.get_running_loop().call_later(LONG, fire)
        spawn(wait(event), "patient")

    stage.leave(program)
    assert stage.look().finalities == {"patient": "outside"}


def test_a_cancelled_timer_does_not(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(LONG, event.set).cancel()
        spawn(wait(event), "patient")

    stage.leave(program)
    assert stage.look().finalities == {"patient": "stuck"}


def test_a_timer_completes_the_future_itself(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        reply = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(LONG, reply.set_result, None)
        spawn(wait(reply), "patient")

    stage.leave(program)
    assert (stage.look().finalities, stage.look().ends("patient")) == ({"patient": "outside"}, TIMER)


def test_a_timer_cancels_the_task(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        task = spawn(wait(asyncio.Event()), "limited")
        asyncio.get_running_loop().call_later(LONG, task.cancel)

    stage.leave(program)
    assert (stage.look().finalities, stage.look().ends("limited")) == ({"limited": "outside"}, TIMEOUT)


def test_a_cancellation_goes_down_to_whom_it_waits_for(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        inner = spawn(wait(asyncio.Event()), "inner")
        middle = spawn(collect(inner), "middle")
        spawn(under_timeout(middle), "outer")

    stage.leave(program)
    assert set(stage.look().finalities.values()) == {"outside"}


def test_a_shield_stops_it(stage: Stage, spawn: Spawn) -> None:
    async def shielding(inner: Any) -> None:
        async with asyncio.timeout(LONG):
            await asyncio.shield(inner)

    async def program() -> None:
        inner = spawn(wait(asyncio.Event()), "inner")
        spawn(shielding(inner), "outer")

    stage.leave(program)
    assert stage.look().finalities == {"inner": "stuck", "outer": "outside"}


def test_a_shield_alone_passes_on_what_is_known(stage: Stage, spawn: Spawn) -> None:
    async def shielding(inner: Any) -> None:
        await asyncio.shield(inner)

    async def program() -> None:
        spawn(shielding(spawn(asyncio.sleep(LONG), "sleeps")), "outer")

    stage.leave(program)
    sight = stage.look()
    assert sight.finalities == {"sleeps": "outside", "outer": "outside"}
    assert re.fullmatch(r"as task 'sleeps': in 3[56]00 s, when its sleep is over", sight.ends("outer"))


# --- the outside -----------------------------------------------------------------------------------


def test_a_sleep(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        spawn(asyncio.sleep(LONG), "sleeps")

    stage.leave(program)
    sight = stage.look()
    assert sight.finalities == {"sleeps": "outside"}
    assert re.fullmatch(r"in 3[56]00 s, when its sleep is over", sight.ends("sleeps"))


def test_a_thread(stage: Stage, spawn: Spawn) -> None:
    over = threading.Event()
    stage.ends.append(over.set)

    async def program() -> None:
        spawn(asyncio.to_thread(over.wait), "in a thread")

    stage.leave(program)
    sight = stage.look()
    assert sight.finalities == {"in a thread": "outside"}
    assert sight.ends("in a thread") == OUTSIDE["executor"]


def test_a_peer(stage: Stage, spawn: Spawn) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    stage.ends += [ours.close, theirs.close]

    async def receive() -> None:
        try:
            await asyncio.get_running_loop().sock_recv(ours, 1)
        finally:
            ours.close()

    async def program() -> None:
        spawn(receive(), "reads")

    stage.leave(program)
    sight = stage.look()
    assert sight.finalities == {"reads": "outside"}
    assert sight.ends("reads") == OUTSIDE["socket"]
    theirs.send(b"x")
    stage.turn()


# --- what runs --------------------------------------------------------------------------------------


def test_what_spins(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        spawn(forever(), "spins")

    stage.leave(program)
    sight = stage.look()
    assert sight.finalities == {"spins": "spins"}
    assert sight.ends("spins") == NEVER["spins"]


def test_what_is_ready_before_the_loop_was_turned(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        spawn(forever(), "runs")

    stage.leave(program)
    sight = stage.look(turned=False)
    assert sight.finalities == {"runs": "ready"}
    assert sight.ends("runs") == "as soon as its loop runs again"


@pytest.mark.parametrize("turned", [True, False])
def test_what_never_ran(stage: Stage, turned: bool) -> None:
    stage.tasks.append(stage.loop.create_task(never(), name="fresh"))
    assert stage.look(turned=turned).finalities == {"fresh": "ready"}


def test_what_a_spinning_task_can_reach_may_be_woken(stage: Stage, spawn: Spawn) -> None:
    async def spin(_event: asyncio.Event) -> None:
        await forever()

    async def program() -> None:
        event = asyncio.Event()
        spawn(spin(event), "spins")
        spawn(wait(event), "waits")

    stage.leave(program)
    assert stage.look().finalities == {"spins": "spins", "waits": "wakeable"}


# --- through others -----------------------------------------------------------------------------------


def test_one_of_those_gathered_is_stuck(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        stuck = spawn(wait(asyncio.Event()), "stuck")
        spawn(collect(stuck, asyncio.sleep(0)), "collector")

    stage.leave(program)
    assert set(stage.look().finalities.values()) == {"stuck"}


def test_the_liveliest_of_those_gathered_tells(stage: Stage, spawn: Spawn) -> None:
    """One that still runs may fail, and that ends the gather."""

    async def program() -> None:
        stuck = spawn(wait(asyncio.Event()), "stuck")
        spawn(collect(stuck, spawn(asyncio.sleep(LONG), "sleeps")), "collector")

    stage.leave(program)
    sight = stage.look()
    assert sight.finalities == {"stuck": "stuck", "sleeps": "outside", "collector": "outside"}
    assert sight.ends("collector").startswith("as task 'sleeps': in 3")


def test_as_another_task(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        GLOBAL["event"] = asyncio.Event()
        spawn(collect(spawn(wait(GLOBAL["event"]), "inner")), "outer")

    stage.leave(program)
    sight = stage.look()
    assert sight.finalities == {"inner": "wakeable", "outer": "wakeable"}
    assert sight.ends("outer") == f"as task 'inner': {ALIVE}"


def test_a_group(stage: Stage, spawn: Spawn) -> None:
    async def grouped() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait(asyncio.Event()), name="child")

    async def program() -> None:
        spawn(grouped(), "parent")

    stage.leave(program)
    assert set(stage.look().finalities.values()) == {"stuck"}


def test_a_circle_that_is_not_proven_comes_to_an_end(stage: Stage, spawn: Spawn) -> None:
    """Where no proof is possible, a task that waits for itself by way of others is not known."""

    async def member(tasks: list[Any], number: int) -> None:
        await tasks[1 - number]

    async def program() -> None:
        tasks: list[Any] = []
        tasks += [spawn(member(tasks, number), f"m{number}") for number in range(2)]

    stage.leave(program)
    outlook = Outlook(Scene(stage.tasks, own=[stage.tasks], prover=claims("unknown", "it was not asked")))
    assert {outlook.finality(task) for task in stage.tasks} <= {"unknown", "deadlock"}


@pytest.mark.parametrize("size", [400, 700])
@pytest.mark.parametrize("word", ["outside", "wakeable"])
def test_long_chains(stage: Stage, spawn: Spawn, word: str, size: int) -> None:
    """A chain of tasks that is longer than Python's stack is deep."""

    async def program() -> None:
        GLOBAL["event"] = asyncio.Event()
        task = spawn(asyncio.sleep(LONG) if word == "outside" else wait(GLOBAL["event"]), "end")
        for number in range(size):
            task = spawn(wait(task), f"m{number}")

    stage.leave(program)
    last = f"m{size - 1}"
    sight = stage.look("m0", last, "end", prover=claims("live"))
    assert {sight.finalities[name] for name in ("end", "m0")} == {word}
    assert sight.ends("m0").startswith("as task 'end': ")
    if size < finality.MOST_JUDGED:
        assert sight.ends(last) == sight.ends("m0")
    else:
        assert sight.ends(last) == "not known: too many tasks wait for each other"


def test_no_reason_no_claim(stage: Stage, spawn: Spawn) -> None:
    """Where a proof is refused, as on a build without the GIL, that is said."""

    async def program() -> None:
        spawn(wait(asyncio.Event()), "waits")

    stage.leave(program)
    outlook = Outlook(Scene(stage.tasks, own=[stage.tasks], prover=claims("unknown", "proofs need the GIL")))
    assert [outlook.of(task) for task in stage.tasks] == [("unknown", "not known: proofs need the GIL")]


def test_what_was_not_looked_at_is_not_known(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        spawn(wait(asyncio.Event()), "waits")

    stage.leave(program)
    outlook = Outlook(Scene([]))
    assert outlook.of(stage.tasks[0]) == ("unknown", "not known: it was not looked at")


# --- locks ----------------------------------------------------------------------------------------------


def both_known(spawn: Spawn) -> Callable[[], Any]:
    async def program() -> None:
        one, two = GLOBAL["one"], GLOBAL["two"] = asyncio.Lock(), asyncio.Lock()
        spawn(locks(one, two), "ab")
        spawn(locks(two, one), "ba")

    return program


def test_locks_that_a_module_knows(stage: Stage, spawn: Spawn) -> None:
    stage.leave(both_known(spawn))
    sight = stage.look()
    assert sight.finalities == {"ab": "deadlock", "ba": "deadlock"}
    assert sight.ends("ab") == "never, if locks are released only by those who took them"


def test_who_waits_for_a_deadlock(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        await both_known(spawn)()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        spawn(locks(GLOBAL["one"], asyncio.Lock()), "third")
        ab = next(task for task in asyncio.all_tasks() if task.get_name() == "ab")
        spawn(collect(ab), "collector")

    stage.leave(program)
    assert set(stage.look().finalities.values()) == {"deadlock"}


def test_a_holder_that_sleeps_will_give_back(stage: Stage, spawn: Spawn) -> None:
    async def holder(lock: asyncio.Lock) -> None:
        async with lock:
            await asyncio.sleep(LONG)

    async def program() -> None:
        GLOBAL["lock"] = lock = asyncio.Lock()
        spawn(holder(lock), "holder")
        await asyncio.sleep(0)
        spawn(locks(lock, lock), "waiter")

    stage.leave(program)
    assert stage.look().finalities == {"holder": "outside", "waiter": "wakeable"}


def test_a_holder_that_is_proven_stuck_will_not(stage: Stage, spawn: Spawn) -> None:
    async def holder(lock: asyncio.Lock) -> None:
        async with lock:
            await asyncio.Event().wait()

    async def program() -> None:
        GLOBAL["lock"] = lock = asyncio.Lock()
        spawn(holder(lock), "holder")
        await asyncio.sleep(0)
        spawn(locks(lock, lock), "waiter")

    stage.leave(program)
    assert stage.look().finalities == {"holder": "stuck", "waiter": "deadlock"}


def test_a_bare_acquire_leaves_it_open(stage: Stage, spawn: Spawn) -> None:
    """Whoever took it left no trace, so somebody may give it back."""

    async def program() -> None:
        GLOBAL["lock"] = lock = asyncio.Lock()
        await lock.acquire()
        spawn(locks(lock, lock), "waiter")

    stage.leave(program)
    assert stage.look().finalities == {"waiter": "wakeable"}


def test_permits_of_a_bounded_semaphore(stage: Stage, spawn: Spawn) -> None:
    async def nested(pool: asyncio.Semaphore) -> None:
        async with pool:
            await asyncio.sleep(0)
            async with pool:
                pass

    async def program() -> None:
        GLOBAL["pool"] = pool = asyncio.BoundedSemaphore(2)
        spawn(nested(pool), "x")
        spawn(nested(pool), "y")
        GLOBAL["plain"] = plain = asyncio.Semaphore(2)  # nobody knows how many permits there were
        spawn(nested(plain), "u")
        spawn(nested(plain), "v")

    stage.leave(program)
    assert stage.look().finalities == {"x": "deadlock", "y": "deadlock", "u": "wakeable", "v": "wakeable"}


# --- the words --------------------------------------------------------------------------------------------


def test_every_word_is_known() -> None:
    assert set(finality.ALIVE) == set(FINALITIES) - {"swallows"}
    assert set(NEVER) <= set(FINALITIES)
    assert all(text.startswith("when ") for text in OUTSIDE.values())


# --- timers, by themselves -----------------------------------------------------------------------------------


def test_what_timers_reach(stage: Stage) -> None:
    event, other = asyncio.Event(), asyncio.Event()
    stage.loop.call_later(LONG, print, [event])
    stage.loop.call_later(LONG, print, [other]).cancel()
    reached = timers.reached(stage.loop)
    assert id(event) in reached
    assert id(other) not in reached


def test_timers_do_not_lead_into_modules_or_through_tasks(stage: Stage, spawn: Spawn) -> None:
    async def program() -> None:
        inside = asyncio.Event()
        task = spawn(wait(asyncio.Event(), inside), "held")
        GLOBAL.update(inside=weakref.ref(inside), beside=asyncio.Event())
        asyncio.get_running_loop().call_later(LONG, lambda: (task, GLOBAL))

    stage.leave(program)
    reached = timers.reached(stage.loop)
    assert id(stage.tasks[0]) in reached
    assert id(GLOBAL["inside"]()) not in reached
    assert id(GLOBAL["beside"]) not in reached  # it is a name of the module


@pytest.mark.taskleak(mode="off")
def test_timers_of_a_closed_loop_reach_nothing() -> None:
    loop = asyncio.new_event_loop()
    loop.call_later(LONG, print)
    loop.close()
    assert timers.reached(loop) == set()


def test_a_large_argument_of_a_timer_is_not_walked(stage: Stage) -> None:
    things = [[number] for number in range(10 * timers.MOST)]
    stage.loop.call_later(LONG, print, things)
    assert len(timers.reached(stage.loop)) < 100 * timers.MOST


# --- on uvloop, whose timers are hidden -------------------------------------------------------------------------


def test_uvloop(spawn: Spawn) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def program() -> list[Any]:
        event = asyncio.Event()
        tasks = [spawn(wait(asyncio.Event()), "stuck"), spawn(under_timeout(event), "limited")]
        tasks += [spawn(asyncio.sleep(LONG), "sleeps"), spawn(wait(event), "beside")]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        outlook = Outlook(Scene(tasks, own=[tasks]))
        words = [outlook.finality(task) for task in tasks]
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(tasks)
        return words

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(program()) == ["stuck", "outside", "outside", "wakeable"]


# --- nothing is kept ----------------------------------------------------------------------------------------------


def test_nothing_is_kept_after_a_look(stage: Stage, spawn: Spawn) -> None:
    references: list[weakref.ref[Any]] = []

    async def program() -> None:
        event, lock = asyncio.Event(), asyncio.Lock()
        references.extend([weakref.ref(event), weakref.ref(lock)])
        spawn(wait(event), "event")
        spawn(locks(lock, lock), "lock")

    stage.leave(program)
    sight = stage.look()
    for name in sight.finalities:
        sight.cause(name)
        sight.rows(name)
    del sight
    while stage.tasks:
        stage.tasks.pop().cancel()
    stage.turn()
    gc.collect()
    assert [reference() for reference in references] == [None, None]
