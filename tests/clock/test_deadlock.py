"""Does a test that would wait for ever end, with an error that says who waits for what?"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from typing import TYPE_CHECKING

import pytest

from pytest_taskleak import DeadlockError, ExternalWorkTimeout, FakeClock, LivelockError
from pytest_taskleak.clock import endless
from pytest_taskleak.loops import virtual

if TYPE_CHECKING:
    from tests.conftest import Suite


async def forever() -> None:
    await asyncio.Event().wait()


def test_the_error_names_task_primitive_and_line() -> None:
    ran = []

    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        async with FakeClock():
            try:
                await queue.get()
            finally:
                ran.append("cleanup")
                await asyncio.sleep(100)
                ran.append("cleaned")

    with pytest.raises(DeadlockError) as caught:
        asyncio.run(main())
    text = str(caught.value)
    assert "nothing can run: no timer is due and nothing outside is at work" in text
    assert "waits for asyncio.Queue.get() `queue`" in text
    assert "test_deadlock.py:" in text
    assert ran == ["cleanup", "cleaned"]


def test_the_loop_stays_usable() -> None:
    async def main() -> int:
        with pytest.raises(DeadlockError):
            async with FakeClock():
                await forever()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        return await asyncio.sleep(0, 5)

    assert asyncio.run(main()) == 5


def test_a_task_group_ends_its_children() -> None:
    ended = []

    async def child() -> None:
        try:
            await forever()
        finally:
            ended.append(1)

    async def main() -> None:
        async with FakeClock(), asyncio.TaskGroup() as group:
            group.create_task(child(), name="first")
            group.create_task(child(), name="second")

    with pytest.raises(DeadlockError) as caught:
        asyncio.run(main())
    assert ended == [1, 1]
    assert "'first'" in str(caught.value)
    assert "'second'" in str(caught.value)


def test_a_circle_is_told() -> None:
    async def main() -> None:
        one, two = asyncio.Lock(), asyncio.Lock()

        async def take(first: asyncio.Lock, then: asyncio.Lock) -> None:
            async with first:
                await asyncio.sleep(1)
                async with then:
                    pass

        async with FakeClock(), asyncio.TaskGroup() as group:
            group.create_task(take(one, two), name="A")
            group.create_task(take(two, one), name="B")

    with pytest.raises(DeadlockError, match=r"deadlock\n.*A.*B") as caught:
        asyncio.run(main())
    assert "asyncio.Lock.acquire()" in str(caught.value)


@pytest.mark.no_taskleak(reason="its task is cut off, as it should be")
def test_cleanup_that_hangs_as_well() -> None:
    async def main() -> None:
        async with FakeClock():
            try:
                await forever()
            finally:
                await forever()

    with pytest.raises(DeadlockError):
        asyncio.run(main())


def test_who_swallows_the_cancellation_is_told_all_the_same() -> None:
    async def main() -> None:
        async with FakeClock():
            try:
                await forever()
            except asyncio.CancelledError:
                return

    with pytest.raises(DeadlockError):
        asyncio.run(main())


def test_an_error_of_the_test_stays() -> None:
    async def main() -> None:
        async with FakeClock():
            try:
                await forever()
            except asyncio.CancelledError:
                raise KeyError("mine") from None

    with pytest.raises(KeyError, match="mine") as caught:
        asyncio.run(main())
    assert any("fake_clock: DeadlockError" in note for note in caught.value.__notes__)


def test_without_a_task_it_comes_out_of_the_run() -> None:
    ran = []

    async def main() -> None:
        try:
            await forever()
        finally:
            ran.append(1)

    with FakeClock(), pytest.raises(DeadlockError):
        asyncio.run(main())
    assert ran == [1]


def test_a_cancellation_of_ones_own_is_no_deadlock() -> None:
    async def main() -> None:
        async with FakeClock():
            task = asyncio.current_task()
            assert task is not None
            asyncio.get_running_loop().call_later(5, task.cancel)
            await forever()

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


def test_manual_mode_says_that_nobody_moves_the_clock() -> None:
    async def main() -> None:
        async with FakeClock(auto=False):
            await asyncio.sleep(12)

    with pytest.raises(DeadlockError, match="auto is off, the next timer is due in 12 s"):
        asyncio.run(main())


def test_a_loop_of_another_thread_ends_too() -> None:
    def run(loop: asyncio.AbstractEventLoop, future: concurrent.futures.Future[None]) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            try:
                runner.run(forever())
            except BaseException as error:  # noqa: BLE001 -- it is the test's to look at
                future.set_exception(error)

    future: concurrent.futures.Future[None] = concurrent.futures.Future()
    with pytest.raises(DeadlockError, match="Only thread 'MainThread' waits with"), FakeClock(hang_after=0.3):
        thread = threading.Thread(target=run, args=(asyncio.new_event_loop(), future))
        thread.start()
        try:
            future.result(timeout=20)
        finally:
            thread.join()


def test_a_thread_that_never_ends_is_named() -> None:
    gate = threading.Event()

    def spin() -> None:
        while not gate.is_set():
            pass

    async def main() -> None:
        thread = threading.Thread(target=spin, name="spinner", daemon=True)
        async with FakeClock(hang_after=0.2):
            thread.start()
            try:
                await asyncio.sleep(1)
            finally:
                gate.set()

    with pytest.raises(
        ExternalWorkTimeout, match=r"time has stood for 0\.2 s of real time, because .*'spinner'"
    ):
        asyncio.run(main())


def test_an_ignored_thread_does_not_hold_time() -> None:
    gate = threading.Event()

    def spin() -> None:
        while not gate.is_set():
            pass

    async def main() -> float:
        thread = threading.Thread(target=spin, name="spinner", daemon=True)
        async with FakeClock(hang_after=1) as clock:
            thread.start()
            clock.ignore(thread)
            await asyncio.sleep(1)
            gate.set()
            thread.join()
            return clock.elapsed

    assert asyncio.run(main()) == 1


def test_who_never_rests_is_named() -> None:
    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    async def main() -> None:
        async with FakeClock(), asyncio.TaskGroup() as group:
            group.create_task(spin(), name="spinner")

    with pytest.raises(LivelockError, match="never comes to rest") as caught:
        asyncio.run(main())
    assert "spinner" in str(caught.value)


async def beat() -> None:
    while True:
        await asyncio.sleep(30)


def test_who_waits_for_ever_beside_a_heartbeat_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endless, "MOST_JUMPS", 2_000)
    monkeypatch.setattr(virtual, "OFTEN", 2**9 - 1)

    async def main() -> None:
        async with FakeClock(), asyncio.TaskGroup() as group:
            group.create_task(beat(), name="heart")
            group.create_task(forever(), name="waiter")

    with pytest.raises(LivelockError, match="timers never end") as caught:
        asyncio.run(main())
    assert "'waiter'" in str(caught.value)


def test_who_waits_long_beside_a_heartbeat_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endless, "MOST_JUMPS", 2_000)
    monkeypatch.setattr(virtual, "OFTEN", 2**9 - 1)

    async def sleep() -> None:
        await asyncio.sleep(30 * 10_000)

    async def main() -> float:
        async with FakeClock() as clock:
            heart = asyncio.create_task(beat())
            await asyncio.create_task(sleep())
            heart.cancel()
            return clock.elapsed

    assert asyncio.run(main()) == 30 * 10_000


def test_code_that_reads_another_clock_is_noted() -> None:
    async def poll() -> None:
        until = time.monotonic() + 60
        for _ in range(20_000):
            if time.monotonic() < until:
                await asyncio.sleep(0.1)

    async def main() -> list[str]:
        async with FakeClock() as clock:
            await poll()
            return clock.stats.notes

    (note,) = asyncio.run(main())
    assert "poll reads time.monotonic(), which this clock does not move" in note


def test_in_a_test_run(suite: Suite) -> None:
    done = suite(
        """
        async def test_waits(fake_clock):
            gate = asyncio.Event()
            try:
                await gate.wait()
            finally:
                await asyncio.sleep(1)
                print("cleaned up")

        async def test_next(fake_clock):
            await asyncio.sleep(1)
            assert fake_clock.elapsed == 1
        """
    )
    assert done.counts == "1 failed, 1 passed"
    report = next(r for r in done.reports if r.outcome == "failed")
    assert "DeadlockError: nothing can run" in report.text
    assert "waits for asyncio.Event.wait() `gate`" in report.text
    assert any("cleaned up" in text for _, text in report.sections)
    assert any("1 jump over 1 s" in text for name, text in report.sections if "fake clock" in name)
    assert "contextlib" not in report.text
