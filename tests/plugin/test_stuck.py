"""Do tasks that cannot be cancelled stop the session, or spoil the next test?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak.adapt import spinning
from pytest_taskleak.engine import reap

if TYPE_CHECKING:
    from tests.conftest import Done, Suite

WAYS = {
    "asyncio.run": (
        """
        def test_leaks():
            asyncio.run(leave())

        def test_next():
            asyncio.run(asyncio.sleep(0))
        """
    ),
    "a loop of uvloop": (
        """
        def test_leaks():
            uvloop = pytest.importorskip("uvloop")
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(leave())

        def test_next():
            asyncio.run(asyncio.sleep(0))
        """
    ),
    "a loop of each test": (
        """
        async def test_leaks():
            await leave()

        async def test_next():
            await asyncio.sleep(0)
        """
    ),
    "a loop of the module": (
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        async def test_leaks():
            await leave()

        async def test_next():
            await asyncio.sleep(0)
        """
    ),
    "a loop that is closed by hand": (
        """
        def test_leaks():
            loop = asyncio.new_event_loop()
            loop.run_until_complete(leave())
            loop.close()

        def test_next():
            asyncio.run(asyncio.sleep(0))
        """
    ),
}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))

RING = """
tasks = []

async def member(number, size):
    await tasks[(number + 1) % size]

async def leave(size={size}):
    tasks[:] = [asyncio.create_task(member(n, size), name=f"member-{{n}}") for n in range(size)]
    await asyncio.sleep(0)
"""
GATHERS = """
tasks = []

async def first():
    await asyncio.gather(tasks[1], asyncio.sleep(3600))

async def second():
    await asyncio.gather(tasks[0])

async def leave():
    tasks[:] = [asyncio.create_task(first(), name="member-0"), asyncio.create_task(second(), name="member-1")]
    await asyncio.sleep(0)
"""
CHAIN = """
tasks = []

async def member(after):
    await after

async def leave(size=3000):
    tasks[:] = [asyncio.create_task(forever())]
    for _ in range(size - 1):
        tasks.append(asyncio.create_task(member(tasks[-1])))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
"""
SWALLOWS = """
async def swallows():
    while True:
        try:
            await forever()
        except asyncio.CancelledError:
            pass

async def leave():
    asyncio.create_task(swallows(), name="swallows")
    await asyncio.sleep(0)
"""
SPINS = """
async def spins():
    inner = asyncio.ensure_future(asyncio.sleep(3600))
    while True:
        try:
            await asyncio.shield(inner)
        except asyncio.CancelledError:
            inner.cancel()

async def leave():
    asyncio.create_task(spins(), name="spins")
    await asyncio.sleep(0)
"""


@pytest.fixture(autouse=True)
def bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the bounds short; nothing here needs real time to end."""
    monkeypatch.setattr(reap, "SLOW", 0.1)
    monkeypatch.setattr(reap, "BOUND", 0.05)
    monkeypatch.setattr(reap, "CLOSE_BOUND", 0.2)
    monkeypatch.setattr(spinning, "PATIENCE", 0.1)


def run(suite: Suite, leave: str, way: str, *args: str) -> Done:
    """Run a test that leaves something, and one after it."""
    import textwrap

    return suite(textwrap.dedent(leave) + textwrap.dedent(way), *args)


def details(found: dict[str, Any]) -> dict[str, str]:
    """Return the labelled lines of a finding."""
    return dict(found["details"])


def outcomes(done: Done) -> dict[str, str]:
    """Return the outcome of each test; none of them has an error in its setup or teardown."""
    assert all(when == "call" for _, when in done.failed()), done.out
    return {report.name: report.outcome for report in done.reports if report.when == "call"}


def reaped(done: Done) -> dict[str, int]:
    """Return the counts of the test that leaks, those that are not zero."""
    total: dict[str, int] = {}
    for report in done.reports:
        for name, count in (report.taskleak or {}).get("reaped", {}).items():
            total[name] = total.get(name, 0) + count
    return {name: count for name, count in total.items() if count}


@each_way
@pytest.mark.parametrize(
    ("leave", "size"),
    [(RING.format(size=2), 2), (RING.format(size=3), 3), (GATHERS, 3)],
    ids=["two", "three", "gather"],
)
def test_tasks_that_await_each_other(suite: Suite, way: str, leave: str, size: int) -> None:
    done = run(suite, leave, way)
    assert [finding["name"] for finding in done.findings("test_leaks")] == ["member-0"]
    assert outcomes(done) == {"test_leaks": "failed", "test_next": "passed"}, done.out
    assert reaped(done) == {"cancelled": size}


def test_a_long_chain(suite: Suite) -> None:
    done = run(suite, CHAIN, WAYS["asyncio.run"])
    assert outcomes(done) == {"test_leaks": "failed", "test_next": "passed"}, done.out
    assert reaped(done) == {"cancelled": 3000}


@each_way
def test_one_that_swallows_its_cancellation(suite: Suite, way: str) -> None:
    done = run(suite, SWALLOWS, way)
    assert done.told() == {"test_leaks": ["TL104 swallows"]}, done.out
    assert outcomes(done) == {"test_leaks": "failed", "test_next": "passed"}
    (found,) = done.findings()
    lines = (suite.pytester.path / "test_it.py").read_text().splitlines()
    line = 1 + next(n for n, text in enumerate(lines) if "except" in text)
    assert details(found)["swallowed"] == f"test_it.py:{line}  swallows: except asyncio.CancelledError"
    assert details(found)["cancelled"].startswith("twice to remove it, and went on for 0.")
    assert reaped(done) == {"timed_out": 1, "stuck": 1}


@each_way
def test_one_that_spins_when_it_is_cancelled(suite: Suite, way: str) -> None:
    done = run(suite, SPINS, way)
    assert done.told() == {"test_leaks": ["TL106 spins"]}, done.out
    assert outcomes(done) == {"test_leaks": "failed", "test_next": "passed"}
    (found,) = done.findings()
    lines = (suite.pytester.path / "test_it.py").read_text().splitlines()
    line = 1 + next(n for n, text in enumerate(lines) if "while True:" in text)
    assert details(found)["spins"] == f"test_it.py:{line}  spins"
    assert reaped(done)["stuck"] == 1


def test_one_that_spins_while_it_is_waited_for(suite: Suite) -> None:
    """The test has cancelled it, and left it to the next turn of the loop."""
    done = suite(
        """
        async def spins():
            try:
                await forever()
            except asyncio.CancelledError:
                while True:
                    pass

        loops = []

        def test_leaks():
            loop = asyncio.new_event_loop()
            loops.append(loop)
            task = loop.create_task(spins(), name="spins")
            loop.run_until_complete(asyncio.sleep(0))
            task.cancel()

        def test_next():
            loops.pop().close()
        """
    )
    assert "TL106 spins" in done.told()["test_leaks"], done.out
    assert done.one("test_next", "call").outcome == "passed"


def test_counts(suite: Suite) -> None:
    done = suite(
        """
        async def returns():
            try:
                await forever()
            except asyncio.CancelledError:
                return

        async def raises():
            try:
                await forever()
            finally:
                raise ValueError("while ending")

        async def slow():
            try:
                await forever()
            finally:
                await forever()

        async def swallows():
            while True:
                try:
                    await forever()
                except asyncio.CancelledError:
                    pass

        def test_leaks():
            async def main():
                kinds = [forever, forever, returns, raises, slow, swallows]
                tasks = [asyncio.create_task(kind()) for kind in kinds]
                await asyncio.sleep(0)
            asyncio.run(main())

        def test_tidy():
            async def main():
                await asyncio.create_task(asyncio.sleep(0))
            asyncio.run(main())
        """
    )
    assert reaped(done) == {"cancelled": 3, "completed": 1, "errors": 1, "timed_out": 2, "stuck": 1}


def test_one_that_the_test_had_cancelled(suite: Suite) -> None:
    done = suite(
        """
        async def swallows_once():
            try:
                await forever()
            except asyncio.CancelledError:
                pass
            await forever()

        async def test_leaks():
            task = asyncio.create_task(swallows_once(), name="swallows")
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(0)
        """
    )
    (found,) = done.findings()
    assert (found["code"], details(found)) == ("TL101", {"cancelled": "once, and went on"})
    assert reaped(done) == {"cancelled": 1}
