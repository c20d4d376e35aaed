"""Is every leak explained, at what price, and does a fault of the explanation stay without effect?"""

from __future__ import annotations

import gc
import re
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak import timing
from pytest_taskleak.diagnosis import Graph
from pytest_taskleak.engine import diagnosing, proving  # else each inner run loads modules of its own
from pytest_taskleak.explain import proof

if TYPE_CHECKING:
    from tests.conftest import Done, Suite

PRELUDE = """\
import asyncio
import threading

import pytest

KNOWN = []
TASKS = []


def leave(coroutine, name):
    TASKS.append(asyncio.create_task(coroutine, name=name))
    return TASKS[-1]


async def waits(thing, *held):
    await (thing.wait() if isinstance(thing, asyncio.Event) else thing)


async def transfer(source, target):
    async with source:
        await asyncio.sleep(0)
        async with target:
            pass


async def consume(jobs):
    while True:
        await jobs.get()


async def turns(times=4):
    for _ in range(times):
        await asyncio.sleep(0)

"""
STUCK = """
    async def test_leaks():
        leave(waits(asyncio.Event()), "left")
        await turns()
"""
WAKEABLE = """
    async def test_leaks():
        KNOWN.append(asyncio.Event())
        leave(waits(KNOWN[0]), "left")
        await turns()
"""
LOCKS = """
    async def test_locks():
        one, two = asyncio.Lock(), asyncio.Lock()
        leave(transfer(one, two), "ab")
        leave(transfer(two, one), "ba")
        await turns()
"""


def run(suite: Suite, tests: str, *args: str, **options: Any) -> Done:
    """Run tests to which the programs above are known."""
    suite.write(tests, prelude=PRELUDE)
    return suite.run(*args, **options)


def diagnosis(done: Done, name: str) -> dict[str, Any]:
    """Return the diagnosis of the one finding of this name."""
    (found,) = [f for f in done.findings() if f["name"] == name]
    told: dict[str, Any] = found["diagnosis"]
    return told


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each real wait of the watcher, but those of its helper threads."""
    waited: list[float] = []
    original = timing.pause
    me = threading.get_ident()

    def pause(seconds: float) -> None:
        if seconds and threading.get_ident() == me:
            waited.append(seconds)
        original(seconds)

    monkeypatch.setattr(timing, "pause", pause)
    return waited


# --- what is told ---------------------------------------------------------------------------------


def test_a_leak_is_explained(suite: Suite) -> None:
    done = run(suite, LOCKS)
    told = diagnosis(done, "ab")
    assert told["finality"] == "stuck"
    assert told["ends"] == "never: nothing alive can wake it (proven)"
    assert told["cause"] == "lock-order"
    assert told["kept"] == ["test_it.TASKS[0]"]
    assert told["node"] == "t1"
    assert re.fullmatch(r"task 'ba', taken at test_it\.py:\d+  transfer", dict(told["waits"])["held by"])
    section = done.of("test_locks")[-1].section + "".join(report.text for report in done.reports)
    for text in (
        "  held by   task 'ba', taken at test_it.py:",
        "  kept by   test_it.TASKS[0]",
        "  ends      never: nothing alive can wake it (proven)",
        "  why       the locks are taken in different orders",
        "  fix       take the locks in one order everywhere, or hold one lock instead of two",
        "deadlock\n  ",
    ):
        assert text in section


def test_the_graph_travels_on_the_report(suite: Suite) -> None:
    done = run(suite, LOCKS)
    (graph,) = [Graph.from_json(g) for r in done.reports if r.taskleak for g in r.taskleak["graphs"]]
    assert [sorted(cycle) for cycle in graph.cycles] == [["t1", "t2"]]
    assert {node.label for node in graph.nodes if node.kind == "task"} == {"task 'ab'", "task 'ba'"}
    assert {edge.label for edge in graph.edges} == {"waits for", "held by"}


def test_trees_are_shown_from_verbose_on(suite: Suite) -> None:
    suite.write(LOCKS, prelude=PRELUDE)
    assert "wait-for graph\n" not in suite.run().out
    assert "wait-for graph\n" in suite.run("-v").out


def test_a_task_without_a_wait_for_somebody_has_no_graph(suite: Suite) -> None:
    done = run(
        suite,
        """
        async def test_leaks():
            leave(asyncio.sleep(3600), "left")
            await turns()
        """,
    )
    assert [r.taskleak["graphs"] for r in done.reports if r.taskleak] == [[]]
    assert diagnosis(done, "left")["finality"] == "outside"


def test_workers_tell_the_same(suite: Suite) -> None:
    suite.plugins.append("xdist")
    suite.write(LOCKS + WAKEABLE, prelude=PRELUDE)

    def told(done: Done) -> Any:
        found = sorted(done.findings(), key=lambda f: f["name"])
        for finding in found:  # each worker has a list of its own
            finding["diagnosis"]["kept"] = [re.sub(r"\d+", "N", x) for x in finding["diagnosis"]["kept"]]
        return [(f["name"], f["diagnosis"], f["advice"]) for f in found], [
            graph for r in done.reports if r.taskleak for graph in r.taskleak["graphs"] if graph["cycles"]
        ]

    alone, spread = suite.run(process=True), suite.run("-n2", process=True)
    assert told(alone) == told(spread)
    assert [name for name, *_ in told(spread)[0]] == ["ab", "ba", "left"]
    assert len(told(spread)[1]) == 1
    for done in (alone, spread):
        assert re.search(r"^taskleak: tasks that were left .*: 3 cancelled$", done.out, re.MULTILINE)


def test_what_a_runner_cuts_off_is_explained(suite: Suite) -> None:
    done = run(
        suite,
        """
        async def main():
            one, two = asyncio.Lock(), asyncio.Lock()
            leave(transfer(one, two), "ab")
            leave(transfer(two, one), "ba")
            leave(waits(asyncio.Event()), "left")
            await turns()

        def test_runs():
            asyncio.run(main())
        """,
    )
    assert {f["code"] for f in done.findings()} == {"TL102"}
    assert {name: diagnosis(done, name)["cause"] for name in ("ab", "ba", "left")} == {
        "ab": "lock-order",
        "ba": "lock-order",
        "left": "event-never-set",
    }
    assert {diagnosis(done, name)["finality"] for name in ("ab", "ba", "left")} == {"stuck"}
    assert [len(g["cycles"]) for r in done.reports if r.taskleak for g in r.taskleak["graphs"]] == [1]
    assert "deadlock\n  " in "".join(report.text for report in done.reports)


def test_what_is_on_a_loop_that_closes_is_closed(suite: Suite) -> None:
    done = run(
        suite,
        """
        def test_closes():
            loop = asyncio.new_event_loop()
            TASKS.append(loop.create_task(waits(asyncio.Event()), name="left"))
            loop.run_until_complete(turns())
            loop.close()
        """,
    )
    assert [f["code"] for f in done.findings()] == ["TL103"]
    assert diagnosis(done, "left")["finality"] == "closed"


# --- modes -----------------------------------------------------------------------------------------


def test_none(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosing, "diagnose", lambda *_, **__: pytest.fail("was asked"))
    done = run(suite, LOCKS, "--taskleak-explain=none")
    assert [f["diagnosis"] for f in done.findings()] == [None, None]
    assert [r.taskleak["graphs"] for r in done.reports if r.taskleak] == [[]]
    text = "".join(report.text for report in done.reports)
    assert "TL101  task 'ab'" in text
    for label in ("held by", "kept by", "ends", "why", "needs"):
        assert f"\n  {label:<9} " not in text
    assert "deadlock\n" not in text
    assert not done.out.count("TL901")


def test_none_for_one_test_by_the_ini_file(suite: Suite) -> None:
    suite.ini["taskleak_explain"] = "none"
    assert [f["diagnosis"] for f in run(suite, LOCKS).findings()] == [None, None]


def test_full_tells_more_chains_and_draws(suite: Suite) -> None:
    tests = (
        STUCK
        + """
        def teardown_module():
            TASKS.clear()
        """
    ).replace('leave(waits(asyncio.Event()), "left")', 'KNOWN.append(leave(waits(asyncio.Event()), "left"))')
    suite.plugins.append("cacheprovider")
    short = run(suite, tests)
    assert len(diagnosis(short, "left")["kept"]) == 1
    full = run(suite, tests, "--taskleak-explain=full")
    assert sorted(diagnosis(full, "left")["kept"]) == ["test_it.KNOWN[0]", "test_it.TASKS[0]"]
    drawn = Path(dict(diagnosis(full, "left")["waits"])["drawn in"])
    found = [*suite.pytester.path.rglob("*.dot")]
    assert [file.name for file in found] == [drawn.name]
    assert drawn.name == "test_it-py-test_leaks.dot"
    assert "digraph" in found[0].read_text()
    assert f"  drawn in  {drawn}" in "".join(report.text for report in full.reports)


def test_full_without_a_cache_folder(suite: Suite) -> None:
    done = run(suite, STUCK, "--taskleak-explain=full", "-p", "no:cacheprovider")
    assert diagnosis(done, "left")["finality"] == "stuck"
    assert [*suite.pytester.path.rglob("*.dot")] == []


# --- time ----------------------------------------------------------------------------------------------


def test_what_is_proven_is_not_waited_for(suite: Suite, pauses: list[float]) -> None:
    done = run(suite, LOCKS + STUCK, "--taskleak-grace=30")
    assert set(done.told()) == {"test_locks", "test_leaks"}
    assert pauses == []


def test_what_might_be_woken_has_its_grace(suite: Suite, pauses: list[float]) -> None:
    done = run(suite, WAKEABLE, "--taskleak-grace=0.05")
    assert diagnosis(done, "left")["finality"] == "wakeable"
    assert sum(pauses) == pytest.approx(0.05)


def test_one_that_may_be_woken_keeps_all_waiting(suite: Suite, pauses: list[float]) -> None:
    tests = """
    async def test_leaks():
        KNOWN.append(asyncio.Event())
        leave(waits(KNOWN[0]), "open")
        leave(waits(asyncio.Event()), "stuck")
        await turns()
    """
    done = run(suite, tests, "--taskleak-grace=0.05")
    assert sum(pauses) == pytest.approx(0.05)
    assert {name: diagnosis(done, name)["finality"] for name in ("open", "stuck")} == {
        "open": "wakeable",
        "stuck": "stuck",
    }


def test_a_task_that_a_timeout_ends_is_waited_for(suite: Suite, pauses: list[float]) -> None:
    done = run(
        suite,
        """
        async def limited():
            try:
                async with asyncio.timeout(0.2):
                    await asyncio.Event().wait()
            except TimeoutError:
                pass

        async def waked(event):
            try:
                await asyncio.wait_for(asyncio.Event().wait(), 0.2)
            except TimeoutError:
                event.set()

        async def test_ends():
            event = asyncio.Event()
            leave(limited(), "limited")
            leave(waked(event), "waked")
            leave(waits(event), "depends on it")
            await turns()
        """,
        "--taskleak-grace=30",
    )
    assert done.findings() == []
    assert done.failed() == []
    assert sum(pauses) < 30


def test_a_proof_is_made_once(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is waited for what may be woken, it is not proven again and again."""
    asked: list[int] = []
    original = proof.undisturbed

    def undisturbed(waiting: Any, *args: Any) -> Any:
        asked.append(len(waiting))
        return original(waiting, *args)

    monkeypatch.setattr(proof, "undisturbed", undisturbed)
    run(suite, WAKEABLE, "--taskleak-grace=0.2")
    assert len(asked) <= 4  # before the wait, for the report, and once more after a collection


# --- what is not explained -------------------------------------------------------------------------------


def test_notes_and_allowed_things_are_not_explained(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    original = diagnosing.diagnose

    def diagnose(pairs: Any, *args: Any, **options: Any) -> Any:
        asked.extend(f.resource.name for _, f in pairs)
        return original(pairs, *args, **options)

    monkeypatch.setattr(diagnosing, "diagnose", diagnose)
    done = run(
        suite,
        """
        import socket

        @pytest.mark.taskleak(allow="task:name=allowed")
        async def test_leaks():
            KNOWN.append(socket.socket())
            leave(waits(asyncio.Event()), "allowed")
            leave(waits(asyncio.Event()), "told")
            await turns()

        @pytest.mark.taskleak(allow="task:*")
        def test_cut_off():
            async def main():
                leave(waits(asyncio.Event()), "cut off and allowed")
                await turns()

            asyncio.run(main())

        def test_closes():
            KNOWN.pop().close()
        """,
        "--taskleak-detect=task,socket",
        "--taskleak-severity=socket=note",
    )
    assert asked == ["told"]
    assert diagnosis(done, "told")["finality"] == "stuck"
    assert [f["diagnosis"] for f in done.findings() if f["kind"] == "socket"] == [None]


def test_many_of_one_line_are_explained_once(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    explained: list[str] = []
    original = diagnosing.Look.explained

    def once(self: Any, item: Any, finding: Any, chains: Any) -> Any:
        explained.append(finding.resource.name)
        return original(self, item, finding, chains)

    monkeypatch.setattr(diagnosing.Look, "explained", once)
    monkeypatch.setattr(proof, "PATIENCE", 1.0)  # the machine may be busy with other things
    done = run(
        suite,
        """
        async def test_leaks():
            event = asyncio.Event()
            for number in range(200):
                leave(waits(event), f"w{number}")
            await turns()
        """,
    )
    (found,) = done.findings()
    assert found["count"] == 200
    assert explained == ["w0"]
    assert found["diagnosis"]["finality"] == "stuck"
    assert found["diagnosis"]["cause"] == "event-never-set"


def test_many_of_many_lines_are_explained_up_to_a_bound(suite: Suite) -> None:
    lines = "\n".join(f'        leave(waits(asyncio.Event()), "w{number}")' for number in range(40))
    done = run(suite, f"    async def test_leaks():\n{lines}\n        await turns()\n")
    told = [f for f in done.findings() if f["diagnosis"] is not None]
    assert len(done.findings()) == 40
    assert len(told) == diagnosing.MOST


# --- values of fixtures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        ("def", "return asyncio.Queue()"),
        ("async def", "return asyncio.Queue()"),
        ("async def", "yield asyncio.Queue()"),
        ("async def", "yield asyncio.Queue(); await turns()"),
    ],
)
def test_values_of_function_fixtures_are_of_no_use_to_anybody(suite: Suite, kind: str, ends: str) -> None:
    """Pytest still holds the queue, but the test is over and nobody will use it."""
    done = run(
        suite,
        f"""
    @pytest.fixture
    {kind} jobs():
        {ends}

    async def test_leaks(jobs):
        leave(consume(jobs), "left")
        await turns()

    async def test_next(jobs):
        assert jobs.empty()
        """,
    )
    assert list(done.told()) == ["test_leaks"]
    assert diagnosis(done, "left")["finality"] == "stuck"


def test_a_teardown_that_is_still_to_come_may_use_a_value(suite: Suite) -> None:
    """The loop of the test is closed before the plain fixture, which was set up before it, is torn down."""
    done = run(
        suite,
        """
        @pytest.fixture
        def jobs():
            yield asyncio.Queue()
            KNOWN.append(len(KNOWN))

        async def test_leaks(jobs):
            leave(consume(jobs), "left")
            await turns()
        """,
    )
    assert done.told() == {"test_leaks": ["TL102 left"]}
    assert diagnosis(done, "left")["finality"] == "wakeable"


@pytest.mark.parametrize("scope", ["module", "session"])
def test_values_of_wider_fixtures_may_still_be_used(suite: Suite, scope: str) -> None:
    done = run(
        suite,
        f"""
        @pytest.fixture(scope="{scope}")
        def jobs():
            return asyncio.Queue()

        async def test_leaks(jobs):
            leave(consume(jobs), "left")
            await turns()

        async def test_next(jobs):
            assert jobs.empty()
        """,
    )
    found = diagnosis(done, "left")
    assert found["finality"] == "wakeable"
    assert f"fixture 'jobs' ({scope})" in found["ends"]


def test_a_fixture_whose_teardown_wakes_it(suite: Suite) -> None:
    """The task is judged after the teardown, and ends in it."""
    done = run(
        suite,
        """
        @pytest.fixture
        async def ready():
            event = asyncio.Event()
            yield event
            event.set()
            await turns()

        async def test_waits(ready):
            leave(waits(ready), "waits")
            await turns()
        """,
    )
    assert done.findings() == []


def test_the_instance_of_a_test_may_still_be_used(suite: Suite) -> None:
    done = run(
        suite,
        """
        class TestIt:
            async def test_leaks(self):
                self.event = asyncio.Event()
                leave(waits(self.event), "left")
                await turns()
        """,
    )
    found = diagnosis(done, "left")
    assert found["finality"] == "wakeable"
    assert "the test's instance" in found["ends"]


# --- advice ----------------------------------------------------------------------------------------------


POLLER = """
    class PricePoller:
        def start(self):
            self.task = asyncio.create_task(self.run(), name="poller")

        async def run(self):
            while True:
                await asyncio.sleep(3600)

        {method}
"""


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("async def stop(self): ...", "`await price_poller.stop()`"),
        ("def close(self): ...", "`price_poller.close()`"),
        ("async def aclose(self): ...", "`await price_poller.aclose()`"),
        ("stop = None", ""),
    ],
)
def test_the_call_that_ends_it(suite: Suite, method: str, call: str) -> None:
    tests = (
        POLLER.format(method=method)
        + """
    async def test_polls():
        PricePoller().start()
        await turns()

    @pytest.fixture
    async def poller():
        PricePoller().start()
        yield

    async def test_uses(poller):
        await turns()
    """
    )
    done = run(suite, tests)
    advice = {f["owner"]["kind"]: f["advice"] for f in done.findings()}
    if call:
        assert advice["test"] == f"{call} before the test ends"
        assert advice["fixture"] == f"{call} behind the `yield` of fixture 'poller'"
    else:
        assert "price_poller" not in "".join(advice.values())


def test_a_class_that_knows_better_is_not_overruled(suite: Suite) -> None:
    """A deadlock is not mended by closing what the task belongs to."""
    done = run(
        suite,
        """
        class Service:
            def __init__(self):
                self.lock = asyncio.Lock()

            async def outer(self):
                async with self.lock:
                    async with self.lock:
                        pass

            async def stop(self): ...

        async def test_serves():
            leave(Service().outer(), "left")
            await turns()
        """,
    )
    (found,) = done.findings()
    assert found["diagnosis"]["cause"] == "reentry"
    assert "stop()" not in found["advice"]
    assert "self.lock" in found["advice"]


# --- faults -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["Scene", "build", "Outlook"])
def test_a_fault_of_the_explanation_hides_nothing(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("in the explanation")

    monkeypatch.setattr(diagnosing, where, broken)
    done = run(suite, STUCK)
    assert done.told() == {"test_leaks": ["TL101 left"]}
    assert [f["diagnosis"] for f in done.findings()] == [None]
    assert done.failed() == [("test_leaks", "call")]
    assert done.out.count("TL901 a leak could not be explained") == 1
    assert "ZeroDivisionError: in the explanation" in done.out
    assert "INTERNALERROR" not in done.out


def test_a_fault_is_told_once(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many leaks, one message of the plugin's own fault; cut-off tasks count as well."""

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("in the explanation")

    monkeypatch.setattr(diagnosing, "Scene", broken)
    done = run(
        suite,
        STUCK.replace("test_leaks", "test_a")
        + STUCK.replace("test_leaks", "test_b")
        + """
    def test_c():
        async def main():
            leave(waits(asyncio.Event()), "left")
            await turns()

        asyncio.run(main())
        """,
    )
    assert set(done.told()) == {"test_a", "test_b", "test_c"}
    assert done.out.count("TL901 a leak could not be explained") == 1


def test_a_proof_that_fails_is_waited_for(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("in the proof")

    monkeypatch.setattr(proving, "prove", broken)
    done = run(suite, STUCK, "--taskleak-grace=0.02")
    assert done.told() == {"test_leaks": ["TL101 left"]}
    assert sum(pauses) == pytest.approx(0.02)
    assert done.out.count("TL901") == 0


def test_odd_objects_in_the_way(suite: Suite) -> None:
    done = run(
        suite,
        """
        class Nasty:
            def __getattr__(self, name):
                raise RuntimeError(name)

            def __repr__(self):
                raise RuntimeError("repr")

            def __eq__(self, other):
                raise RuntimeError("eq")

            def __hash__(self):
                raise RuntimeError("hash")

            def __bool__(self):
                raise RuntimeError("bool")

            @property
            def __class__(self):
                raise RuntimeError("class")

        async def odd(event, thing):
            other = [Nasty(), {"x": thing}]
            await event.wait()
            del other

        class Odd(Nasty):
            def __init__(self):
                self.__dict__["lock"] = asyncio.Lock()

            async def run(self):
                async with self.lock:
                    async with self.lock:
                        pass

        async def test_leaks():
            leave(odd(asyncio.Event(), Nasty()), "odd")
            leave(Odd().run(), "method")
            await turns()
        """,
    )
    assert {name: len(found) for name, found in done.told().items()} == {"test_leaks": 2}
    assert {diagnosis(done, name)["finality"] for name in ("odd", "method")} == {"stuck"}
    assert diagnosis(done, "method")["cause"] == "reentry"
    assert "TL901" not in done.out


# --- nothing is kept -----------------------------------------------------------------------------------------


def test_nothing_is_kept_of_what_was_explained(suite: Suite) -> None:
    """The primitive and the task die when the report is made; strings alone remain."""
    suite.write(
        """
        import gc
        import weakref

        async def test_leaks():
            event = asyncio.Event()
            asyncio.create_task(waits(event), name="left").add_done_callback(KNOWN.append)
            KNOWN.append(weakref.ref(event))
            await turns()

        def test_next():
            event, task = KNOWN
            assert task.cancelled()
            KNOWN.clear()
            task = weakref.ref(task)
            gc.collect()
            assert event() is None
            assert task() is None
        """,
        prelude=PRELUDE,
    )
    done = suite.run(process=True)
    assert done.told() == {"test_leaks": ["TL101 left"]}
    assert done.failed() == [("test_leaks", "call")]


def test_a_look_keeps_nothing(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is gone at once: what circles would keep until a collection could not be proven stuck meanwhile."""
    looks: list[weakref.ref[Any]] = []
    original = diagnosing.Look.__init__
    gone: list[bool] = []
    diagnose = diagnosing.diagnose

    def init(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        looks.extend([weakref.ref(self), weakref.ref(self.scene), weakref.ref(self.outlook)])

    def asked(*args: Any, **options: Any) -> Any:
        gc.disable()
        try:
            found = diagnose(*args, **options)
            gone.extend(reference() is None for reference in looks)
        finally:
            gc.enable()
        return found

    monkeypatch.setattr(diagnosing.Look, "__init__", init)
    monkeypatch.setattr(diagnosing, "diagnose", asked)
    done = run(suite, LOCKS + WAKEABLE)
    assert set(done.told()) == {"test_locks", "test_leaks"}
    assert gone == [True] * 9  # the three of the first look, and those again with the three of the second
