"""Rows 30 to 41 and 43, a service of workers: does it start, store, stop and start again as it must?"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any

import pytest

from pytest_taskleak import FakeClock, TrackedTaskGroup

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import sound
from sound import SoundTrail
from stories import failing, forever, names, told, turns, virtual
from twins import audit_trail
from twins.audit_trail import AuditTrail

WORKERS = ["archival", "flush", "verification"]
Trail = type[AuditTrail] | type[SoundTrail]


class Sink:
    """Where batches are stored, in a few steps; the first calls fail."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.calls = 0
        self.rows: list[int] = []

    async def __call__(self, batch: list[int]) -> None:
        self.calls += 1
        await turns(3)
        if self.calls <= self.failures:
            raise ConnectionError("no disk")
        self.rows += batch


class Plain:
    """A component that knows nothing of groups."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def start(self) -> None:
        self.seen.append("start")

    async def stop(self) -> None:
        self.seen.append("stop")


def test_row_30_a_component_starts_with_or_without_a_group() -> None:
    async def story(clock: FakeClock) -> None:
        plain, trail = Plain(), AuditTrail(Sink())
        async with TrackedTaskGroup() as group:
            async with group.component(plain), group.component(trail):
                assert plain.seen == ["start"]
                assert names() == WORKERS
                assert sorted(task.name for task in group.tasks()) == WORKERS
            assert plain.seen == ["start", "stop"]
            assert names() == []
        alone = AuditTrail(Sink())
        await alone.start()
        assert names() == WORKERS
        await alone.stop()
        assert names() == []

    virtual(story)


Body = Callable[[asyncio.TaskGroup], Awaitable[None]]
Cycle = Callable[[AuditTrail, Body], Awaitable[None]]


async def our_cycle(trail: AuditTrail, body: Body) -> None:
    async with TrackedTaskGroup() as group, group.component(trail):
        await body(group)


async def twin_cycle(trail: AuditTrail, body: Body) -> None:
    async with asyncio.TaskGroup() as group:
        await trail.start(group)
        await body(group)


def works_again_after_a_crash(cycle: Cycle) -> None:
    async def story(clock: FakeClock) -> None:
        trail, seen = AuditTrail(Sink()), list[list[str]]()

        async def crash(group: asyncio.TaskGroup) -> None:
            seen.append(names())
            group.create_task(failing(ValueError("bad request")))
            await forever()

        async def look(group: asyncio.TaskGroup) -> None:
            seen.append(names())

        with pytest.raises(ExceptionGroup):
            await cycle(trail, crash)
        assert names() == []
        await cycle(trail, look)
        assert seen[0] == WORKERS
        assert seen[1] == WORKERS, "the second start has no worker"

    virtual(story)


def test_row_31_a_service_works_again_after_its_group_aborted() -> None:
    works_again_after_a_crash(our_cycle)
    with pytest.raises(AssertionError, match="the second start has no worker"):
        works_again_after_a_crash(twin_cycle)


def test_row_32_every_named_worker_shows_its_end() -> None:
    async def story(clock: FakeClock) -> None:
        async with sound.lifespan(SoundTrail(Sink())) as group:
            await asyncio.sleep(100)
        ended = {task.name: task for task in group.history()}
        assert sorted(ended) == WORKERS
        for task in ended.values():
            assert (task.outcome, task.background) == ("cancelled", True)
            assert task.duration == pytest.approx(100)
            assert "sound.py:" in task.born

    virtual(story)


def test_row_34_no_request_outlives_the_lifespan() -> None:
    async def story(clock: FakeClock) -> None:
        done, trail = list[int](), SoundTrail(Sink())

        async def workflow(number: int) -> None:
            await asyncio.sleep(number)
            trail.append(number)
            done.append(number)

        async def request(group: TrackedTaskGroup, number: int) -> None:
            group.create_task(workflow(number), name=f"workflow-{number}")

        async with sound.lifespan(trail) as group:
            for number in range(20):
                await request(group, number)
        assert done == list(range(20))
        assert names() == []
        assert group.tasks() == ()
        assert trail.buffered == []

    virtual(story)


Lifespan = Callable[[Any], AbstractAsyncContextManager[asyncio.TaskGroup]]


def ends_within_an_hour(lifespan: Lifespan, trail: Trail) -> None:
    async def story(clock: FakeClock) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(3600), lifespan(trail(Sink())) as group:
                group.create_task(asyncio.sleep(1))
        assert clock.elapsed < 3600, "the lifespan did not end by itself"

    virtual(story)


def test_row_35_a_lifespan_with_endless_workers_ends() -> None:
    ends_within_an_hour(sound.lifespan, SoundTrail)
    with pytest.raises(AssertionError, match="did not end by itself"):
        ends_within_an_hour(audit_trail.lifespan, AuditTrail)


def test_row_36_what_a_full_buffer_drops_is_counted() -> None:
    async def story() -> None:
        sink = Sink()
        trail = SoundTrail(sink, size=10)
        for entry in range(25):
            trail.append(entry)
        assert (trail.dropped, trail.buffered) == (15, list(range(15, 25)))
        await trail.flush()
        assert trail.total == len(sink.rows) + trail.dropped + len(trail.buffered)

    told(story)


def test_row_36_what_a_full_history_drops_is_counted() -> None:
    async def story() -> None:
        group = TrackedTaskGroup(history=10).open()
        for number in range(25):
            group.spawn(failing(ValueError()), name=f"job-{number}")
        await group.settle(1)
        assert [task.name for task in group.history()] == [f"job-{number}" for number in range(15, 25)]
        assert group.health().total == sum(group.failures().values()) == 25
        group.reset_failures()

    told(story)


def test_row_37_nothing_is_created_or_lost_on_the_way() -> None:
    async def story() -> None:
        sink = Sink(failures=3)
        trail = SoundTrail(sink, size=10)
        group = TrackedTaskGroup().open()
        started = 0
        for step in range(60):
            if step < 30:
                trail.append(step)
            if step % 3 == 0:
                group.spawn(trail.flush(), name="flush")
                started += 1
            await asyncio.sleep(0)
            assert trail.total == len(sink.rows) + trail.dropped + len(trail.buffered), step
            assert len(group.tasks()) + len(group.history()) == started, step
        await group.settle(1)
        stats = await group.drain(deadline=1)
        assert stats.total == 0
        assert trail.buffered == []
        assert group.failures() == {"flush": 3}
        group.reset_failures()

    told(story)


def test_row_38_order_survives_what_is_put_back() -> None:
    async def story() -> None:
        sink = Sink(failures=4)
        trail = SoundTrail(sink)
        for entry in range(40):
            trail.append(entry)
            if entry % 5 == 0:
                with suppress(ConnectionError):
                    await trail.flush()
        await trail.stop()
        assert sink.rows == list(range(40))

    told(story)


@pytest.mark.parametrize("trail_class", [SoundTrail, AuditTrail], ids=lambda trail: trail.__name__)
def test_row_39_entries_may_come_while_a_batch_is_stored(trail_class: Trail) -> None:
    async def story() -> None:
        sink = Sink()
        trail = trail_class(sink)
        async with TrackedTaskGroup() as group:
            for entry in range(30):
                trail.append(entry)
                group.create_task(trail.flush())
                await asyncio.sleep(0)
        await trail.stop()
        assert sorted(sink.rows) == list(range(30))

    told(story)


def lost_in_a_flush(trail_class: Trail, after: int) -> list[int]:
    """Return which entries are lost if a flush is cancelled after so many turns."""

    async def story() -> list[int]:
        sink = Sink()
        trail = trail_class(sink)
        for entry in range(5):
            trail.append(entry)
        group = TrackedTaskGroup().open()
        flush = group.create_task(trail.flush())
        await turns(after)
        flush.cancel()
        await group.settle(1)
        await trail.stop()
        assert len(sink.rows) == len(set(sink.rows)), "an entry was stored twice"
        return sorted(set(range(5)) - set(sink.rows))

    return told(story)


def loses_nothing(trail_class: Trail) -> None:
    lost = {after: entries for after in range(8) if (entries := lost_in_a_flush(trail_class, after))}
    assert lost == {}, "a cancelled flush lost its batch"


def test_row_40_a_cancelled_flush_loses_nothing() -> None:
    loses_nothing(SoundTrail)
    with pytest.raises(AssertionError, match="a cancelled flush lost its batch"):
        loses_nothing(AuditTrail)


def accounts_for_all(trail_class: Trail) -> None:
    async def story() -> None:
        sink = Sink(failures=1)
        trail = trail_class(sink, size=10)
        for entry in range(10):
            trail.append(entry)
        group = TrackedTaskGroup().open()
        flush = group.spawn(trail.flush(), name="flush")
        await turns(2)
        for entry in range(10, 15):
            trail.append(entry)
        await asyncio.wait([flush])
        group.reset_failures()
        assert sink.rows == []
        missing = trail.total - trail.dropped - len(trail.buffered)
        assert missing == 0, "what was put back pushed entries out that nobody counted"
        assert trail.buffered == list(range(5, 15))

    told(story)


def test_row_41_what_falls_out_of_a_full_buffer_is_reported() -> None:
    accounts_for_all(SoundTrail)
    with pytest.raises(AssertionError, match="pushed entries out that nobody counted"):
        accounts_for_all(AuditTrail)


def test_row_43_connections_close_after_the_workers() -> None:
    class Connections:
        def __init__(self) -> None:
            self.log: list[str] = []
            self.open = False

        async def start(self) -> None:
            self.open = True

        async def stop(self) -> None:
            self.open = False
            self.log.append("connections closed")

        def use(self, who: str) -> None:
            self.log.append(who if self.open else f"{who} after close")

    async def worker(connections: Connections, name: str) -> None:
        try:
            while True:
                connections.use(name)
                await asyncio.sleep(10)
        finally:
            await asyncio.sleep(1)
            connections.use(f"{name} completed")

    async def story(clock: FakeClock) -> None:
        connections = Connections()
        async with (
            TrackedTaskGroup("outer") as outer,
            outer.component(connections),
            TrackedTaskGroup("workers") as workers,
        ):
            workers.create_task(worker(connections, "flush"), name="flush", background=True)
            workers.create_task(worker(connections, "archival"), name="archival", background=True)
            await asyncio.sleep(25)
        assert [line for line in connections.log if "after close" in line] == []
        assert sorted(connections.log[-3:-1]) == ["archival completed", "flush completed"]
        assert connections.log[-1] == "connections closed"

    virtual(story)
